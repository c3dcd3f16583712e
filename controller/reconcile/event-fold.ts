import type { ClusterEvent } from '#model/event.ts';
import type { PlannedEvent } from './plan.ts';

/** The event with one more occurrence: the first time stays, the newest words count. */
export function foldEvent(known: ClusterEvent | undefined, planned: PlannedEvent, nowMs: number): ClusterEvent {
  return { ...planned, firstAtMs: known?.firstAtMs ?? nowMs, lastAtMs: nowMs, count: (known?.count ?? 0) + 1 };
}
