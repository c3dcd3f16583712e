/** Which records of ended tasks may go. */
import { containersOf } from '#model/companion.ts';
import type { Action } from './plan.ts';
import type { ServiceStatus } from '#model/app.ts';
import { hasEnded, isDone, isLive } from './task-row.ts';
import type { ServiceState, TaskRow } from './task-row.ts';

/** Ended tasks of a slot that stay to be looked at, and how long. */
const KEPT_PER_SLOT = 2;
const KEPT_MS = 600_000;

export interface Retention {
  readonly removals: readonly Action[];
  /** When the next record becomes old. */
  readonly wakeAtMs?: number;
}

/**
 * Removes tasks whose node was removed; of a service being deleted every ended task; else ended tasks beyond the newest two of
 * a slot, and those older than ten minutes. The newest of a wanted slot stays until a live task follows it: it says that
 * the slot is done, or that it failed. That of a job stays for `keep` after the job ended well. The newest of a slot with named volumes stays: it says where the data is.
 * Of each slot of a job the newest that ended well stays until all of the job has, also where its node was removed: it says that the slot is not to be
 * done again.
 */
export function planRetention(state: ServiceState, isDeleting: boolean, wanted: ReadonlySet<number>, nowMs: number): Retention {
  const done = newestDone(state, wanted);
  const orphans = state.rows.filter(row => row.node === undefined && !done.has(row)).map(row => removal(row, 'node-removed'));
  const ended = state.rows.filter(row => row.node !== undefined && hasEnded(row));
  if (isDeleting) {
    return { removals: [...orphans, ...ended.map(row => removal(row, 'service-deleted'))] };
  }
  const candidates = [...bySlot(ended)].flatMap(rows => rows.toReversed().flatMap((row, age) => (
    (age === 0 && keepsNewest(state, row, wanted)) || done.has(row) ? [] : [{ row, untilMs: age < KEPT_PER_SLOT ? keptUntilMs(state, row, age) : 0 }]
  )));
  const old = candidates.filter(one => one.untilMs <= nowMs).map(one => removal(one.row, 'retention'));
  const laterMs = candidates.map(one => one.untilMs).filter(untilMs => untilMs > nowMs);
  return { removals: [...orphans, ...old], ...(laterMs.length === 0 ? {} : { wakeAtMs: Math.min(...laterMs) }) };
}

function removal(row: TaskRow, reason: string): Action {
  return { kind: 'remove-task', taskId: row.task.id, reason };
}

function keptUntilMs({ service, status }: ServiceState, row: TaskRow, age: number): number {
  if (age === 0 && isOfEndedJob(status, row) && service.spec.job?.keepMs !== undefined) {
    return (status?.job?.endedAtMs ?? 0) + service.spec.job.keepMs;
  }
  return (row.status?.finishedAtMs ?? row.task.createdAtMs) + KEPT_MS;
}

/** One of those that the job had when it ended well; it may have been asked for more since. */
function isOfEndedJob(status: ServiceStatus | undefined, row: TaskRow): boolean {
  return status?.job !== undefined && row.task.slot < status.job.completions;
}

/** One of a slot says it as well as all. */
function newestDone({ service, rows }: ServiceState, wanted: ReadonlySet<number>): ReadonlySet<TaskRow> {
  const done = service.spec.kind === 'job' ? rows.filter(row => wanted.has(row.task.slot) && isDone(row, service)) : [];
  return new Set(new Map(done.map(row => [row.task.slot, row])).values());
}

function keepsNewest({ rows, service, status }: ServiceState, newest: TaskRow, wanted: ReadonlySet<number>): boolean {
  const { slot, fence } = newest.task;
  const hasData = containersOf(service.spec).some(container => container.volumes.some(mount => mount.kind === 'volume'));
  const isFollowed = rows.some(row => row.task.slot === slot && row.task.fence > fence && isLive(row));
  if (service.spec.kind === 'job' && isOfEndedJob(status, newest)) {
    return hasData || (service.spec.job?.keepMs === undefined && newest.task.templateHash === status?.job?.templateHash);
  }
  return !isFollowed && (wanted.has(slot) || hasData);
}

function bySlot(rows: readonly TaskRow[]): Iterable<readonly TaskRow[]> {
  const slots = new Map<number, TaskRow[]>();
  for (const row of rows) {
    const list = slots.get(row.task.slot);
    if (list === undefined) {
      slots.set(row.task.slot, [row]);
    } else {
      list.push(row);
    }
  }
  return slots.values();
}
