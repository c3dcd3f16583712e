/** Flags that every command takes. */
import { ClusterError } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';
import { parseDuration } from '#model/quantity.ts';
import { parseJsonPath } from './json-path.ts';
import type { JsonPathTemplate } from './json-path.ts';
import { parseLabelSelector } from './label-selector.ts';
import type { LabelSelector } from './label-selector.ts';

export const OUTPUTS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type Output = (typeof OUTPUTS)[number];

export interface GlobalOptions {
  /** Absent: the default namespace. */
  readonly namespace?: string;
  readonly isAllNamespaces: boolean;
  readonly output: Output;
  /** Of `-o jsonpath=`: documents are printed by it, where `output` is json. */
  readonly jsonPath?: JsonPathTemplate;
  /** Empty: everything. */
  readonly selector: LabelSelector;
  readonly context?: string;
  readonly timeoutMs?: number;
  readonly isQuiet: boolean;
  readonly isYes: boolean;
}

export const DEFAULT_NAMESPACE = 'default';

/** Parsed by commander: the flags by their long names. */
export interface GlobalFlags {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly output?: string;
  readonly selector?: string;
  readonly context?: string;
  readonly timeout?: string;
  readonly quiet?: boolean;
  readonly yes?: boolean;
}

/** A flag with a value that is none of the possible. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError naming the flag */
export function readGlobalOptions(flags: GlobalFlags): GlobalOptions {
  const jsonPath = readJsonPath(flags.output);
  const output = jsonPath === undefined ? OUTPUTS.find(one => one === (flags.output ?? 'table')) : 'json';
  if (output === undefined) {
    throw new UsageError(`-o ${quoted(flags.output ?? '')} is none of ${OUTPUTS.join(', ')}, jsonpath=TEMPLATE`);
  }
  return {
    ...(jsonPath === undefined ? {} : { jsonPath }),
    ...(flags.namespace === undefined ? {} : { namespace: flags.namespace }),
    isAllNamespaces: flags.allNamespaces ?? false,
    output,
    selector: readSelector(flags.selector),
    ...(flags.context === undefined ? {} : { context: flags.context }),
    ...(flags.timeout === undefined ? {} : { timeoutMs: readDurationFlag('--timeout', flags.timeout) }),
    isQuiet: flags.quiet ?? false,
    isYes: flags.yes ?? false,
  };
}

/** The template of `jsonpath=TEMPLATE`. @throws UsageError for one that is none */
function readJsonPath(output: string | undefined): JsonPathTemplate | undefined {
  const text = /^jsonpath(?:=(?<template>.*))?$/s.exec(output ?? '')?.groups;
  if (text === undefined) {
    return undefined;
  }
  const parsed = parseJsonPath(text['template'] ?? '');
  if ('problem' in parsed) {
    throw new UsageError(`-o jsonpath: ${parsed.problem}`);
  }
  return parsed.value;
}

/** @throws UsageError unless `text` is a duration */
export function readDurationFlag(flag: string, text: string): number {
  const parsed = parseDuration(text);
  if ('problem' in parsed) {
    throw new UsageError(`${flag}: ${parsed.problem}`);
  }
  return parsed.value;
}

/** @throws ClusterError INVALID_ARGUMENT unless `text` is a whole number in the range */
export function readCount(what: string, text: string, least: number, most: number): number {
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw new ClusterError('INVALID_ARGUMENT', `${what} must be ${String(least)}..${String(most)}, got ${quoted(text)}`);
  }
  return value;
}

/** The namespace a list is narrowed to; undefined with -A. */
export function listNamespace(options: GlobalOptions): string | undefined {
  return options.isAllNamespaces ? undefined : options.namespace ?? DEFAULT_NAMESPACE;
}

/** For what is said of names that are not found: ` in namespace 'prod'`, nothing with -A. */
export function inNamespace(namespace: string | undefined): string {
  return namespace === undefined ? '' : ` in namespace ${quoted(namespace)}`;
}

function readSelector(text = ''): LabelSelector {
  const selector = text === '' ? [] : parseLabelSelector(text);
  if ('problem' in selector) {
    throw new UsageError(`-l ${selector.problem}`);
  }
  return selector;
}
