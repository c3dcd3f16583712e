/** Which records of ended tasks may go. */
import type { Action } from './plan.ts';
import { hasEnded, isLive } from './task-row.ts';
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
 * the slot is done, or that it failed. The newest of a slot with named volumes stays: it says where the data is.
 */
export function planRetention(state: ServiceState, isDeleting: boolean, wanted: ReadonlySet<number>, nowMs: number): Retention {
  const removals: Action[] = [];
  let wakeAtMs: number | undefined;
  const ended: TaskRow[] = [];
  for (const row of state.rows) {
    if (row.node === undefined) {
      removals.push({ kind: 'remove-task', taskId: row.task.id, reason: 'node-removed' });
    } else if (hasEnded(row)) {
      ended.push(row);
    }
  }
  for (const rows of bySlot(ended)) {
    for (const [age, row] of rows.toReversed().entries()) {
      const untilMs = (row.status?.finishedAtMs ?? row.task.createdAtMs) + KEPT_MS;
      if (age === 0 && !isDeleting && keepsNewest(state, row, wanted)) {
        continue;
      }
      if (isDeleting || age >= KEPT_PER_SLOT || untilMs <= nowMs) {
        removals.push({ kind: 'remove-task', taskId: row.task.id, reason: isDeleting ? 'service-deleted' : 'retention' });
      } else {
        wakeAtMs = Math.min(untilMs, wakeAtMs ?? untilMs);
      }
    }
  }
  return { removals, ...(wakeAtMs === undefined ? {} : { wakeAtMs }) };
}

function keepsNewest({ rows, service }: ServiceState, newest: TaskRow, wanted: ReadonlySet<number>): boolean {
  const { slot, fence } = newest.task;
  const hasData = service.spec.container.volumes.some(mount => mount.kind === 'volume');
  const isFollowed = rows.some(row => row.task.slot === slot && row.task.fence > fence && isLive(row));
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
