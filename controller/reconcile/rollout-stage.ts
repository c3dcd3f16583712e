/** How far a rollout may go now: the share of a canary's step, the switch of blue_green; and what it waits for. */
import type { Service } from '#model/app.ts';
import { currentRollout } from './rollout-plan.ts';
import type { StageFacts } from './rollout-plan.ts';
import type { WantedSlot } from './slot-plan.ts';
import { isLive, isServing, isUpToDate, mayStay } from './task-row.ts';
import type { ServiceState } from './task-row.ts';

/** A step of a canary that is under way. */
export interface CanaryStep {
  /** From 0. */
  readonly index: number;
  readonly count: number;
  readonly percent: number;
  /** Slots that may have the new template: at least one. */
  readonly limit: number;
}

/** Undefined where there are no steps (any more): nothing to compare with, the same template, or all of them behind. */
export function canaryStep(state: ServiceState, before: Service | undefined, wanted: number): CanaryStep | undefined {
  const { service } = state;
  const { strategy, stepPercents = [] } = service.spec.update;
  if (strategy !== 'canary' || before === undefined || before.templateHash === service.templateHash) {
    return undefined;
  }
  const isSkipped = (service.rollout?.promotedSteps ?? 0) >= stepPercents.length;
  const index = currentRollout(state)?.step ?? 0;
  const percent = stepPercents[index];
  return isSkipped || percent === undefined ? undefined : { index, count: stepPercents.length, percent, limit: Math.max(1, Math.ceil(wanted * percent / 100)) };
}

/** What the step waits for. It is reached when its share serves, and every other slot too. */
export function canaryStage(state: ServiceState, step: CanaryStep, wanted: readonly WantedSlot[]): StageFacts {
  const { service, rows } = state;
  const { promote, monitorMs } = service.spec.update;
  const served = wanted.filter(({ slot }) => rows.some(row => row.task.slot === slot && isServing(row)));
  const renewed = wanted.filter(({ slot }) => rows.some(row => row.task.slot === slot && isServing(row) && mayStay(row, service)));
  return {
    label: `step ${String(step.index + 1)} of ${String(step.count)} (${String(step.percent)}%)`,
    isReached: served.length === wanted.length && renewed.length >= Math.min(step.limit, wanted.length),
    isPromoted: promote !== 'manual' || (service.rollout?.promotedSteps ?? 0) > step.index,
    watchMs: monitorMs,
    next: { step: step.index + 1 },
  };
}

/**
 * The template whose tasks get the requests of a blue_green service while there are tasks of two: what it was, as long as there are tasks of
 * it, else that of most tasks that serve; the new one where no old one does. A green of which nothing serves gives way to the blue that does
 * when a newer Revision takes its place. Undefined: there are no others than the new ones.
 */
export function activeTemplate({ service, status, rows }: ServiceState): string | undefined {
  const live = rows.filter(isLive);
  if (service.spec.update.strategy !== 'blue_green' || live.every(row => isUpToDate(row, service))) {
    return undefined;
  }
  const serving = Map.groupBy(live.filter(row => isServing(row) && row.task.templateHash !== service.templateHash), row => row.task.templateHash);
  const known = status?.rollout.activeTemplate;
  const stays = known === service.templateHash || serving.size === 0 || serving.has(known ?? '');
  if (known !== undefined && stays && live.some(row => row.task.templateHash === known)) {
    return known;
  }
  const [most] = [...serving].sort(([left, ofLeft], [right, ofRight]) => ofRight.length - ofLeft.length || (left < right ? -1 : 1));
  return most?.[0] ?? service.templateHash;
}

/** Before the switch: what green waits for. */
export function greenStage({ service, status, rows }: ServiceState, wanted: readonly WantedSlot[]): StageFacts {
  const isHealing = status?.settledRevision === service.revision;
  return {
    label: 'green', isReached: wanted.every(({ slot }) => rows.some(row => row.task.slot === slot && isServing(row) && mayStay(row, service))),
    isPromoted: service.spec.update.promote !== 'manual' || isHealing || (service.rollout?.promotedSteps ?? 0) > 0,
    watchMs: 0,
    next: { step: 1, activeTemplate: service.templateHash },
  };
}
