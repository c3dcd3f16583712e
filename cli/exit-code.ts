/** What ended a command -> its exit code and what stderr says. */
import { ClusterError } from '#model/errors.ts';
import type { ErrorCode } from '#model/errors.ts';
import { printable } from '#model/printable.ts';
import { formatProblem } from './manifest-problem.ts';
import type { ManifestProblem } from './manifest-problem.ts';
import { UsageError } from './options.ts';

export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3, timeout: 124 } as const;

/** A process in a task ended: clusterctl ends with its code. */
export class ProcessExit extends Error {
  override readonly name = 'ProcessExit';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${String(exitCode)}`);
    this.exitCode = exitCode;
  }
}

/** A manifest that was refused, with every problem of it. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
  readonly problems: readonly ManifestProblem[];

  constructor(problems: readonly ManifestProblem[]) {
    super(`${String(problems.length)} ${problems.length === 1 ? 'problem' : 'problems'} in the manifest`);
    this.problems = problems;
  }
}

/** A plan or a diff could not be made: told as what it is, with the exit code of an error, which is not that of changes. */
export class PlanError extends Error {
  override readonly name = 'PlanError';

  constructor(cause: unknown) {
    super('no plan', { cause });
  }
}

/** `--timeout` ran out. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

export interface Ending {
  readonly exitCode: number;
  /** For stderr; empty when there is nothing to say. Ends in a newline. */
  readonly text: string;
}

const HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  UNAVAILABLE: 'is a controller running? see clusterctl context ls',
  CONFLICT: 'somebody changed it meanwhile; try again',
  UNAUTHENTICATED: 'see clusterctl context ls',
  PERMISSION_DENIED: 'another context may be allowed to; see clusterctl context ls',
  DEADLINE_EXCEEDED: 'give more time with --timeout',
};

/** Most problems of a manifest that are shown; the rest is counted. */
const MAX_SHOWN = 20;

export function describeEnding(error: unknown, isJson: boolean): Ending {
  if (error instanceof ProcessExit) {
    return { exitCode: error.exitCode, text: '' };
  }
  if (error instanceof PlanError) {
    const ending = describeEnding(error.cause, isJson);
    return { ...ending, exitCode: ending.exitCode === EXIT.failed ? EXIT.usage : ending.exitCode };
  }
  const { exitCode, code, message, hint } = classify(error);
  if (isJson) {
    const violations = error instanceof ManifestError ? error.problems.map(problem => ({ ...problem, hint: null })) : violationsOf(error);
    return { exitCode, text: `${JSON.stringify({ error: { code, message, violations } })}\n` };
  }
  if (error instanceof ManifestError) {
    return { exitCode, text: formatProblems(error.problems) };
  }
  const lines = violationsOf(error).map(({ path, message: text }) => `${path}: ${text}`).filter(line => !message.includes(line)).map(line => printable(`  ${line}`));
  const head = `error: ${printable(message)}${hint === undefined ? '' : `; ${hint}`}`;
  return { exitCode, text: `${[head, ...lines].join('\n')}\n` };
}

interface Classified {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

function classify(error: unknown): Classified {
  if (error instanceof UsageError) {
    return { exitCode: EXIT.usage, code: 'USAGE', message: error.message };
  }
  if (error instanceof TimeoutError) {
    return { exitCode: EXIT.timeout, code: 'DEADLINE_EXCEEDED', message: error.message };
  }
  if (error instanceof ClusterError) {
    // A cluster that answered says itself what is not available.
    const hint = error.code === 'UNAVAILABLE' && !/cannot (?:reach|be reached)/.test(error.message) ? undefined : HINTS[error.code];
    return { exitCode: exitCodeOf(error.code), code: error.code, message: error.message, ...(hint === undefined ? {} : { hint }) };
  }
  if (error instanceof ManifestError) {
    return { exitCode: EXIT.failed, code: 'INVALID_ARGUMENT', message: error.message };
  }
  return { exitCode: EXIT.failed, code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

function exitCodeOf(code: ErrorCode): number {
  if (code === 'UNAVAILABLE') {
    return EXIT.unreachable;
  }
  return code === 'DEADLINE_EXCEEDED' ? EXIT.timeout : EXIT.failed;
}

function violationsOf(error: unknown): readonly { readonly file: null; readonly line: null; readonly column: null; readonly path: string; readonly message: string; readonly hint: null }[] {
  const violations = error instanceof ClusterError ? error.violations : [];
  return violations.map(({ path, message }) => ({ file: null, line: null, column: null, path, message, hint: null }));
}

function formatProblems(problems: readonly ManifestProblem[]): string {
  const shown = problems.slice(0, MAX_SHOWN).map(formatProblem);
  const rest = problems.length - shown.length;
  return `${[...shown, ...(rest > 0 ? [`... and ${String(rest)} more`] : [])].join('\n')}\n`;
}
