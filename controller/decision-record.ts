/**
 * The record of a controller's decisions: what its picture of the cluster was made from, line by line, and what was decided on it.
 *
 * One JSON value a line, in the order in which things happened: read from the first line on, each decision can be made again from the same
 * bytes. Bytes are `{"$bytes": base64}`, maps `{"$map": [[key, value], ...]}`.
 */
import { createHash } from 'node:crypto';
import type { Revision } from '#model/app.ts';
import type { AppId, NodeId, ServiceId } from '#model/ids.ts';
import type { NodeEvidence, NodePlanContext } from './reconcile/node-plan.ts';
import type { Plan } from './reconcile/plan.ts';
import type { PlanContext } from './reconcile/plan-context.ts';
import type { StoreBatch } from './store/ports.ts';
import type { StoreList } from './store/snapshot.ts';

/** What a mirror takes in. */
export type MirrorInput =
  | { readonly kind: 'begin-list' }
  | { readonly kind: 'list'; readonly list: StoreList }
  | { readonly kind: 'batch'; readonly batch: StoreBatch };

/** A plan, short: `text` names its actions for people, `sha256` is of all of it. */
export interface Decided {
  readonly sha256: string;
  readonly text: string;
}

export type Decision =
  | {
    readonly kind: 'service';
    readonly id: ServiceId;
    /** But for its functions and the scheduler's table, which the snapshot says again. */
    readonly context: Omit<PlanContext, 'awayForMs' | 'revisionOf' | 'table'>;
    /** What `awayForMs` answers, by node. */
    readonly away: ReadonlyMap<NodeId, number>;
    /** What `revisionOf` answered while it was decided. */
    readonly revisions: readonly Revision[];
    readonly decided: Decided;
  }
  | { readonly kind: 'volumes'; readonly nowMs: number; readonly decided: Decided }
  | { readonly kind: 'app'; readonly id: AppId; readonly nowMs: number; readonly decided: Decided }
  | { readonly kind: 'nodes'; readonly evidence: NodeEvidence; readonly context: NodePlanContext; readonly decided: Decided };

export type RecordLine =
  | { readonly kind: 'start'; readonly controller: string; readonly version: string; readonly startedAtMs: number }
  /** So many lines are missing here: the disk was slower than the decisions. What follows can be made again from the next whole list on. */
  | { readonly kind: 'gap'; readonly lines: number }
  | MirrorInput
  | Decision;

export function formatRecordLine(line: RecordLine): string {
  return `${JSON.stringify(line, writeValue)}\n`;
}

/** @throws SyntaxError for what is no line of a record */
export function parseRecordLine(text: string): RecordLine {
  const line: unknown = JSON.parse(text, readValue);
  if (typeof line !== 'object' || line === null || !('kind' in line)) {
    throw new SyntaxError(`no line of a record: ${text.slice(0, 80)}`);
  }
  return line as RecordLine;
}

export function decidedOf(plan: Plan): Decided {
  const text = plan.actions.map(action => ('reason' in action ? `${action.kind} (${action.reason})` : action.kind)).join(', ');
  return { sha256: createHash('sha256').update(JSON.stringify(plan, writeValue)).digest('hex'), text };
}

function writeValue(_key: string, value: unknown): unknown {
  if (value instanceof Map) {
    return { $map: [...(value as ReadonlyMap<unknown, unknown>)] };
  }
  // A Buffer has written itself as an object by now.
  if (isBufferJson(value)) {
    return { $bytes: Buffer.from(value.data).toString('base64') };
  }
  return value instanceof Uint8Array ? { $bytes: Buffer.from(value).toString('base64') } : value;
}

function readValue(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if ('$map' in value && Array.isArray(value.$map)) {
    return new Map(value.$map as readonly (readonly [unknown, unknown])[]);
  }
  return '$bytes' in value && typeof value.$bytes === 'string' ? Uint8Array.from(Buffer.from(value.$bytes, 'base64')) : value;
}

function isBufferJson(value: unknown): value is { readonly data: readonly number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value && Array.isArray(value.data);
}
