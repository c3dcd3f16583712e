/** Which runs of a cron are due, and which of the ended ones go. */
import type { CronStatus, Service, ServiceStatus } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { dueTimes } from '#model/cron-schedule.ts';
import type { DueTimes } from '#model/cron-schedule.ts';
import { isSameJson } from '#model/same-json.ts';
import type { CronSpec } from '#model/service.ts';
import { cronRunService, runsOf, scheduledRunName } from './cron-run.ts';
import type { Action, Plan, PlannedEvent } from './plan.ts';
import { rowsOf } from './task-row.ts';
import type { ServiceState } from './task-row.ts';

/**
 * Runs of `allow` that go on at once: a schedule whose runs hang stops there instead of filling the cluster.
 * Source: Kubernetes, "CronJob limitations", which gives up at as many missed times
 */
export const MAX_ACTIVE_RUNS = 100;

/** A run that there is. */
export interface CronRunState {
  readonly service: Service;
  readonly state: 'active' | 'succeeded' | 'failed';
  /** Absent while it is active. */
  readonly endedAtMs?: number;
}

/**
 * Of the times that came since those that were handled, the newest is run, however many there were (Kubernetes and Nomad do so too); with a
 * starting deadline only where it is not missed by more. What is handled is in the status that is written with the run, so a leader that
 * was away, or died between, runs no time twice and forgets none.
 */
export function planCron(snapshot: ClusterSnapshot, state: ServiceState, nowMs: number): Plan {
  const { service, status } = state;
  const cron = service.spec.cron;
  if (cron === undefined) {
    throw new Error(`service ${service.id} is a cron without a schedule`);
  }
  const runs = runsOf(snapshot, service).map(run => runState(snapshot, run));
  const step = cron.isSuspended ? suspended(service, cron, status?.cron) : nextStep(snapshot, { service, cron, runs, before: status?.cron }, nowMs);
  const history = planHistory(service, cron, runs, nowMs);
  const next: ServiceStatus = {
    id: service.id, settledRevision: service.revision, pending: [], crashLoops: [], cron: step.status,
    rollout: { state: 'settled', reason: crowdReason(runs) ?? '', revision: service.revision, startedAtMs: status?.rollout.revision === service.revision ? status.rollout.startedAtMs : nowMs },
  };
  const isSame = status !== undefined && isSameJson(status, next);
  const wakes = [step.status.nextAtMs, history.wakeAtMs].filter(time => time !== undefined);
  return {
    actions: [...history.actions, ...step.actions, ...(isSame ? [] : [{ kind: 'set-service-status', status: next } as const])],
    events: step.events,
    ...(wakes.length === 0 ? {} : { wakeAtMs: Math.min(...wakes) }),
  };
}

/** Why no more runs are started, where so many go on. */
function crowdReason(runs: readonly CronRunState[]): string | undefined {
  const active = runs.filter(run => run.state === 'active').length;
  return active < MAX_ACTIVE_RUNS ? undefined : `${String(active)} runs go on, ${String(MAX_ACTIVE_RUNS)} at most: no other starts until one ends or is deleted`;
}

interface Step {
  readonly status: CronStatus;
  readonly actions: readonly Action[];
  readonly events: readonly PlannedEvent[];
}

/** Times begin to count when the schedule, its zone or its suspension last changed. */
function scheduleKey({ schedule, timezone, isSuspended }: CronSpec): string {
  return `${isSuspended ? 'suspended ' : ''}${timezone} ${schedule}`;
}

function suspended({ updatedAtMs }: Service, cron: CronSpec, before: CronStatus | undefined): Step {
  const key = scheduleKey(cron);
  return { status: before?.scheduleKey === key ? before : { scheduleKey: key, handledUntilMs: updatedAtMs, ...lastOf(before) }, actions: [], events: [] };
}

function lastOf(before: CronStatus | undefined): Pick<CronStatus, 'lastScheduledAtMs'> {
  return before?.lastScheduledAtMs === undefined ? {} : { lastScheduledAtMs: before.lastScheduledAtMs };
}

interface StepInput {
  readonly service: Service;
  readonly cron: CronSpec;
  readonly runs: readonly CronRunState[];
  readonly before: CronStatus | undefined;
}

/** Between what was handled and the next time, which is in the status, there is none: most looks need no more than this. */
function waiting(before: CronStatus | undefined, key: string, nowMs: number): DueTimes | undefined {
  const isWaiting = before?.scheduleKey === key && before.nextAtMs !== undefined && nowMs < before.nextAtMs;
  return isWaiting ? { hasEarlier: false, nextAtMs: before.nextAtMs } : undefined;
}

function nextStep(snapshot: ClusterSnapshot, input: StepInput, nowMs: number): Step {
  const { service, cron, before } = input;
  const key = scheduleKey(cron);
  const handledUntilMs = before?.scheduleKey === key ? before.handledUntilMs : service.updatedAtMs;
  const due = waiting(before, key, nowMs) ?? dueTimes(cron, handledUntilMs, nowMs);
  const next = due.nextAtMs === undefined ? {} : { nextAtMs: due.nextAtMs };
  if (due.newestMs === undefined) {
    return { status: { scheduleKey: key, handledUntilMs, ...lastOf(before), ...next }, actions: [], events: [] };
  }
  const object = `service/${service.id}`;
  const missed: readonly PlannedEvent[] = due.hasEarlier
    ? [{ type: 'warning', object, reason: 'MissedRuns', message: `times before ${iso(due.newestMs)} were missed; only the newest is looked at` }] : [];
  const done = { scheduleKey: key, handledUntilMs: due.newestMs, lastScheduledAtMs: due.newestMs, ...next };
  if (input.runs.some(({ service: { cronRun } }) => cronRun?.isManual === false && cronRun.scheduledAtMs === due.newestMs)) {
    return { status: done, actions: [], events: missed };
  }
  const obstacle = obstacleOf(snapshot, input, due.newestMs, nowMs);
  if (obstacle !== undefined) {
    return { status: { scheduleKey: key, handledUntilMs: due.newestMs, ...lastOf(before), ...next }, actions: [], events: [...missed, { type: 'warning', object, ...obstacle }] };
  }
  const run = startRun(input, due, nowMs);
  return { status: done, actions: run.actions, events: [...missed, ...run.events] };
}

/** Why the time passes without a run. */
function obstacleOf(snapshot: ClusterSnapshot, { service, cron, runs }: StepInput, timeMs: number, nowMs: number): Pick<PlannedEvent, 'reason' | 'message'> | undefined {
  const active = runs.find(run => run.state === 'active');
  if (cron.startingDeadlineMs !== undefined && nowMs - timeMs > cron.startingDeadlineMs) {
    return { reason: 'MissedDeadline', message: `the run of ${iso(timeMs)} is later than its starting deadline` };
  }
  if (cron.concurrency === 'forbid' && active !== undefined) {
    return { reason: 'RunSkipped', message: `the run of ${iso(timeMs)} is left out: ${active.service.name} goes on` };
  }
  const crowd = cron.concurrency === 'allow' ? crowdReason(runs) : undefined;
  if (crowd !== undefined) {
    return { reason: 'RunSkipped', message: `the run of ${iso(timeMs)} is left out: ${crowd}` };
  }
  const name = scheduledRunName(service.name, timeMs);
  const isTaken = [...snapshot.services.values()].some(({ value }) => value.name === name && value.app === service.app && value.namespace === service.namespace);
  return isTaken ? { reason: 'RunSkipped', message: `the run of ${iso(timeMs)} is left out: a service is named ${name} already` } : undefined;
}

function startRun({ service, cron, runs }: StepInput, { newestMs = 0 }: DueTimes, nowMs: number): Omit<Step, 'status'> {
  const run = cronRunService(service, scheduledRunName(service.name, newestMs), { cron: service.name, scheduledAtMs: newestMs, isManual: false }, nowMs);
  const replaced = cron.concurrency === 'replace' ? runs.filter(one => one.state === 'active' && !one.service.isDeleting) : [];
  return {
    actions: [
      ...replaced.map((one): Action => ({ kind: 'delete-service', serviceId: one.service.id, reason: 'replaced by the next run' })),
      { kind: 'create-service', service: run, reason: 'schedule' },
    ],
    events: [
      ...replaced.map((one): PlannedEvent => ({ type: 'normal', object: `service/${service.id}`, reason: 'RunReplaced', message: `${one.service.name} is stopped for ${run.name}` })),
      { type: 'normal', object: `service/${service.id}`, reason: 'RunStarted', message: `${run.name} for ${iso(newestMs)}` },
    ],
  };
}

/** A job that failed may still have tasks that run: it has ended when they have. */
function runState(snapshot: ClusterSnapshot, service: Service): CronRunState {
  const status = snapshot.serviceStatuses.get(service.id)?.value;
  const rows = rowsOf(snapshot, service.id);
  const state = status?.rollout.state === 'settled' ? 'succeeded' : status?.rollout.state === 'failed' ? 'failed' : 'active';
  const ends = rows.map(row => row.status?.finishedAtMs);
  if (state === 'active' || ends.some(end => end === undefined)) {
    return { service, state: 'active' };
  }
  return { service, state, endedAtMs: Math.max(service.createdAtMs, status?.job?.endedAtMs ?? 0, ...ends.filter(end => end !== undefined)) };
}

/** Ended runs beyond what is kept, oldest first, and those that are older than `keep`. */
function planHistory({ spec }: Service, cron: CronSpec, runs: readonly CronRunState[], nowMs: number): { readonly actions: readonly Action[]; readonly wakeAtMs?: number } {
  const present = runs.filter(run => !run.service.isDeleting);
  const beyond = (state: CronRunState['state'], kept: number): readonly CronRunState[] => present.filter(run => run.state === state).toReversed().slice(kept);
  const tooMany = [...beyond('succeeded', cron.keptSucceeded), ...beyond('failed', cron.keptFailed)];
  const expiryOf = ({ endedAtMs }: CronRunState): number => (endedAtMs === undefined || spec.job?.keepMs === undefined ? Number.POSITIVE_INFINITY : endedAtMs + spec.job.keepMs);
  const gone = present.filter(run => tooMany.includes(run) || expiryOf(run) <= nowMs);
  const wakeAtMs = Math.min(...present.filter(run => !gone.includes(run)).map(expiryOf), Number.POSITIVE_INFINITY);
  return {
    actions: gone.map((run): Action => ({ kind: 'delete-service', serviceId: run.service.id, reason: tooMany.includes(run) ? 'history' : 'expired' })),
    ...(Number.isFinite(wakeAtMs) ? { wakeAtMs } : {}),
  };
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
