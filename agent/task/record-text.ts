import { ClusterError } from '#model/errors.ts';
import type { TaskRecord } from './record.ts';

/** The newest form. It rises only when an older agent could not understand a record any more; new fields do not raise it. */
export const RECORD_VERSION = 2;
/** The form of tasks of one container: every agent understands it. */
const PLAIN_VERSION = 1;

/** A record, and the fields beside it that a newer agent wrote. */
export interface ReadRecord {
  readonly record: TaskRecord;
  readonly unknown: Readonly<Record<string, unknown>>;
}

const KNOWN = new Set([
  'version', 'task', 'attempt', 'step', 'bootId', 'slot', 'deviceUnits', 'container', 'resources', 'isFrozen', 'startedAtMs', 'health', 'finishedAtMs', 'restarts', 'recent', 'lastExit', 'companions',
  'ending', 'notBeforeMs', 'reason', 'message',
]);
const STEPS: readonly unknown[] = ['idle', 'preparing', 'building', 'starting', 'running', 'ended', 'finished'];

export function formatRecord(record: TaskRecord, unknown: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify({ ...unknown, version: record.task.companions === undefined ? PLAIN_VERSION : RECORD_VERSION, ...record })}\n`;
}

/**
 * What `formatRecord` wrote; undefined for text that is no record of `taskId`, such as a cut or foreign one.
 *
 * @throws ClusterError FAILED_PRECONDITION for a version above ours
 */
export function parseRecord(text: string, taskId: string): ReadRecord | undefined {
  const fields = parseFields(text);
  if (fields === undefined) {
    return undefined;
  }
  if (typeof fields['version'] === 'number' && fields['version'] > RECORD_VERSION) {
    throw new ClusterError('FAILED_PRECONDITION', `the record of task ${taskId} has form ${String(fields['version'])}; this agent knows ${String(RECORD_VERSION)} and older: start the newer agent`);
  }
  if (!isRecordShape(fields, taskId)) {
    return undefined;
  }
  const unknown = Object.fromEntries(Object.entries(fields).filter(([name]) => !KNOWN.has(name)));
  const known = Object.fromEntries(Object.entries(fields).filter(([name]) => KNOWN.has(name) && name !== 'version'));
  return { record: known as unknown as TaskRecord, unknown };
}

function parseFields(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    // Not JSON: cut by a broken disk, or not ours.
    return undefined;
  }
}

function isRecordShape(fields: Readonly<Record<string, unknown>>, taskId: string): boolean {
  const { task, attempt, step, bootId, restarts, recent, notBeforeMs } = fields;
  return isObject(task) && task['id'] === taskId && isObject(task['container']) && isObject(task['pins'])
    && Number.isInteger(attempt) && STEPS.includes(step) && typeof bootId === 'string'
    && Number.isInteger(restarts) && Array.isArray(recent) && typeof notBeforeMs === 'number'
    && typeof fields['reason'] === 'string' && typeof fields['message'] === 'string';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
