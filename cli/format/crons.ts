/** Crons and their runs as a person reads them. */
import type { ServiceView, TaskView } from '#model/ports.ts';
import { formatAge, formatTime } from './age.ts';
import type { Item } from './items.ts';
import type { Table } from './table.ts';

/** `next in 3h, last 21h ago`; undefined for what is no cron. */
export function describeTimes({ service: { spec }, status }: ServiceView, nowMs: number): string | undefined {
  if (spec.cron === undefined) {
    return undefined;
  }
  const { lastScheduledAtMs, nextAtMs } = status?.cron ?? {};
  const next = spec.cron.isSuspended ? 'suspended' : nextAtMs === undefined ? '' : `next in ${formatAge(nowMs, nextAtMs)}`;
  return [next, lastScheduledAtMs === undefined ? 'no run yet' : `last ${formatAge(lastScheduledAtMs, nowMs)} ago`].filter(text => text !== '').join(', ');
}

/** The runs of the cron that there are, newest first. */
export function runsOfCron({ service }: ServiceView, services: readonly ServiceView[]): readonly ServiceView[] {
  return services.filter(one => one.service.cronRun?.cron === service.name && one.service.app === service.app && one.service.namespace === service.namespace)
    .toSorted((left, right) => (right.service.cronRun?.scheduledAtMs ?? 0) - (left.service.cronRun?.scheduledAtMs ?? 0) || (left.service.name < right.service.name ? -1 : 1));
}

export type RunState = 'active' | 'succeeded' | 'failed' | 'deleting';

export function runState({ service, status }: ServiceView): RunState {
  if (service.isDeleting) {
    return 'deleting';
  }
  const state = status?.rollout.state;
  return state === 'settled' ? 'succeeded' : state === 'failed' ? 'failed' : 'active';
}

export function runItem(run: ServiceView): Item {
  const { cronRun } = run.service;
  return { name: run.service.name, state: runState(run), scheduledAt: formatTime(cronRun?.scheduledAtMs), manual: cronRun?.isManual ?? false };
}

export function runTable(runs: readonly ServiceView[], tasks: readonly TaskView[], nowMs: number): Table {
  return {
    head: ['RUN', 'STATE', 'COMPLETE', 'FOR', 'STARTED', 'REASON'],
    rows: runs.map(run => {
      const { service, status } = run;
      const complete = tasks.filter(({ task, state }) => task.serviceId === service.id && state === 'complete').length;
      return [
        `${service.app}/${service.name}`, runState(run), `${String(complete)}/${String(service.spec.replicas)}`,
        service.cronRun?.isManual === true ? 'manual' : formatTime(service.cronRun?.scheduledAtMs) ?? '', `${formatAge(service.createdAtMs, nowMs)} ago`,
        runState(run) === 'succeeded' ? '' : status?.rollout.reason ?? '',
      ];
    }),
  };
}
