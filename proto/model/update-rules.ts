/** What must hold of `update`: budgets that let something be replaced, strategies that fit the kind, steps that rise. */
import type { Violation } from './errors.ts';
import { hasOneCopy } from './exclusive.ts';
import { checkRange } from './range-rules.ts';
import type { ServiceSpec, UpdateSpec } from './service.ts';

const MAX_REPLICAS = 10_000;
const MAX_STEPS = 20;

export function checkUpdate({ update, onDisconnect, kind }: ServiceSpec, path: string): readonly Violation[] {
  return [
    ...checkRange(update.maxSurge, `${path}.max_surge`, 0, MAX_REPLICAS),
    ...checkRange(update.maxUnavailable, `${path}.max_unavailable`, 0, MAX_REPLICAS),
    ...(update.maxSurge === 0 && update.maxUnavailable === 0 && kind !== 'job' && kind !== 'cron'
      ? [{ path: `${path}.max_unavailable`, message: 'max_surge and max_unavailable cannot both be 0: nothing could ever be replaced' }] : []),
    ...(hasOneCopy(onDisconnect) && update.maxSurge > 0
      ? [{ path: `${path}.max_surge`, message: 'must be 0: a service that holds its place, or stops itself when it is cut off, never runs two copies of a replica' }] : []),
    ...checkRange(update.monitorMs, `${path}.monitor`, 0, 86_400_000),
    ...checkDeadline({ update, kind }, `${path}.progress_deadline`),
    ...checkStrategy({ update, onDisconnect, kind }, path),
    ...checkSteps(update, `${path}.steps`),
  ];
}

function checkDeadline({ update: { progressDeadlineMs }, kind }: Pick<ServiceSpec, 'update' | 'kind'>, path: string): readonly Violation[] {
  if (progressDeadlineMs === undefined) {
    return [];
  }
  return kind === 'job' || kind === 'cron' ? [{ path, message: 'a job has no rollout; its time is job.timeout' }] : checkRange(progressDeadlineMs, path, 1_000, 86_400_000);
}

/** Canary and blue_green run two versions side by side, and look at them for as long as they like. */
function checkStrategy({ update, onDisconnect, kind }: Pick<ServiceSpec, 'update' | 'onDisconnect' | 'kind'>, path: string): readonly Violation[] {
  const { strategy } = update;
  if (strategy === 'blue_green' && (kind !== 'service' || hasOneCopy(onDisconnect))) {
    return [{ path: `${path}.strategy`, message: 'blue_green runs two tasks of each replica: only a service of kind service without stop_after, and with another replace_after than never, can have it' }];
  }
  if (strategy === 'canary' && (kind === 'job' || kind === 'cron' || kind === 'global')) {
    return [{ path: `${path}.strategy`, message: `canary takes shares of the replicas: a service of kind ${kind} has none` }];
  }
  const isPromoted = strategy === 'canary' || strategy === 'blue_green';
  return update.promote !== undefined && !isPromoted ? [{ path: `${path}.promote`, message: 'only the strategies canary and blue_green are promoted' }] : [];
}

function checkSteps({ strategy, stepPercents }: UpdateSpec, path: string): readonly Violation[] {
  if (strategy !== 'canary') {
    return stepPercents === undefined ? [] : [{ path, message: 'only the strategy canary has steps' }];
  }
  if (stepPercents === undefined || stepPercents.length === 0 || stepPercents.length > MAX_STEPS) {
    return [{ path, message: `a canary has 1 to ${String(MAX_STEPS)} steps, as [10%, 50%]` }];
  }
  return stepPercents.flatMap((percent, index) => [
    ...checkRange(percent, `${path}[${String(index)}]`, 1, 100),
    ...(index > 0 && percent <= (stepPercents[index - 1] ?? 0) ? [{ path: `${path}[${String(index)}]`, message: 'must be above the step before it' }] : []),
  ]);
}
