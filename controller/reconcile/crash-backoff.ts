/** How long a slot waits after its task failed: 10 s, doubling to 5 minutes, until one lived for 5 minutes. */
import type { CrashLoop, Service } from '#model/app.ts';
import { hasEnded, hasFailed, isLive, isServing, isUpToDate } from './task-row.ts';
import type { TaskRow } from './task-row.ts';

const FIRST_DELAY_MS = 10_000;
const MAX_DELAY_MS = 300_000;

/**
 * The slot's crash loop after its newest task, given what was counted before; undefined when there is none.
 * A failed task is counted once: its id is kept with the count.
 */
export function nextCrashLoop(rows: readonly TaskRow[], service: Service, before: CrashLoop | undefined, nowMs: number): CrashLoop | undefined {
  const newest = rows.filter(row => isUpToDate(row, service)).at(-1);
  const isOfThisTemplate = rows.every(row => row.task.id !== before?.task || isUpToDate(row, service));
  const known = isOfThisTemplate ? before : undefined;
  if (newest === undefined) {
    return undefined;
  }
  if (isFailure(newest, service)) {
    return known?.task === newest.task.id ? known : count(newest, known, nowMs);
  }
  const hasRecovered = isLive(newest) && isServing(newest) && nowMs >= newest.task.createdAtMs + MAX_DELAY_MS;
  return hasRecovered ? undefined : known;
}

/** Unix ms before which the slot gets no new task. A wall clock that was set back cannot stretch the wait. */
export function waitUntilMs(loop: CrashLoop | undefined, nowMs: number): number | undefined {
  if (loop === undefined || loop.notBeforeMs <= nowMs || loop.notBeforeMs - nowMs > MAX_DELAY_MS) {
    return undefined;
  }
  return loop.notBeforeMs;
}

/** Failed, or ended well although its service always wants it. */
function isFailure(row: TaskRow, service: Service): boolean {
  const endedTooSoon = hasEnded(row) && row.status?.phase === 'complete' && row.task.desired === 'run'
    && service.spec.kind !== 'job' && service.spec.container.restart.mode === 'always';
  return hasFailed(row) || endedTooSoon;
}

/** `once`, `3 times`. */
export function timesText(count: number): string {
  return count === 1 ? 'once' : `${String(count)} times`;
}

function count(row: TaskRow, before: CrashLoop | undefined, nowMs: number): CrashLoop {
  const failures = (before?.failures ?? 0) + 1;
  const delayMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures - 1, 10));
  return { slot: row.task.slot, failures, notBeforeMs: nowMs + delayMs, task: row.task.id };
}
