/** Whether a rollout gets on: how far it came, since when no further, and what its service's deadline says of that. */
import type { RolloutProgress, ServiceStatus } from '#model/app.ts';
import { formatDuration } from '#model/quantity.ts';
import type { PlanContext } from './plan-context.ts';
import { currentRollout } from './rollout-plan.ts';
import type { Rollout } from './rollout-plan.ts';
import { isServing, isUpToDate } from './task-row.ts';
import type { ServiceState } from './task-row.ts';

const NO_PROGRESS = 'no progress for ';

/** Counts only while tasks are being replaced: what is paused, waits, is watched or waits to be promoted may take as long as it likes, and counts anew after it. */
export function nextProgress(state: ServiceState, { state: next, healthySinceMs }: Rollout, nowMs: number): RolloutProgress | undefined {
  const { service, status } = state;
  const isCounted = service.spec.update.progressDeadlineMs !== undefined && status?.settledRevision !== service.revision
    && (next === 'progressing' || next === 'failed') && healthySinceMs === undefined;
  if (!isCounted) {
    return undefined;
  }
  const known = currentRollout(state)?.progress;
  const reached = servedSlots(state);
  // A wall clock that was set back cannot stretch the deadline.
  return known === undefined || reached > known.reached ? { reached, sinceMs: nowMs } : { reached: known.reached, sinceMs: Math.min(nowMs, known.sinceMs) };
}

/** When to look at it again. */
export function deadlineAtMs({ service, status }: { readonly service: ServiceState['service']; readonly status: ServiceStatus }, { nowMs, ignoresDeadlines, steadySinceMs = 0 }: PlanContext): number | undefined {
  const { progressDeadlineMs } = service.spec.update;
  const { progress } = status.rollout;
  const atMs = progress === undefined || progressDeadlineMs === undefined ? nowMs : Math.max(progress.sinceMs, steadySinceMs) + progressDeadlineMs;
  return ignoresDeadlines === true || atMs <= nowMs ? undefined : atMs;
}

/** Why the rollout has failed although no task did: what it was stuck at. A clock that jumped, or another leader's, does not shorten the deadline: it is counted anew. */
export function deadlineFailure(state: ServiceState, context: PlanContext): string | undefined {
  const { progressDeadlineMs } = state.service.spec.update;
  const rollout = currentRollout(state);
  if (progressDeadlineMs === undefined || rollout === undefined || !mayFail(state, context)) {
    return undefined;
  }
  // Told as it was when it failed, by whatever clock.
  const isTold = rollout.state === 'failed' && rollout.reason.startsWith(NO_PROGRESS);
  const deadlineMs = context.nowMs - progressDeadlineMs;
  if (!isStill(state, rollout, deadlineMs) || (!isTold && (context.steadySinceMs ?? 0) > deadlineMs)) {
    return undefined;
  }
  return isTold ? rollout.reason : `${NO_PROGRESS}${formatDuration(progressDeadlineMs)}${rollout.reason === '' ? '' : `: ${rollout.reason}`}`;
}

function mayFail({ service, status }: ServiceState, { ignoresDeadlines }: PlanContext): boolean {
  return ignoresDeadlines !== true && service.rollout?.isPaused !== true && status?.settledRevision !== service.revision;
}

/** It came no further since that time. */
function isStill(state: ServiceState, { progress }: Rollout, sinceMs: number): boolean {
  return progress !== undefined && progress.sinceMs <= sinceMs && servedSlots(state) <= progress.reached;
}

/** Slots that a task of the current template serves. */
function servedSlots({ service, rows }: ServiceState): number {
  return new Set(rows.filter(row => isUpToDate(row, service) && isServing(row)).map(row => row.task.slot)).size;
}
