import test from 'ava';
import type { Service, ServiceStatus } from '#model/app.ts';
import type { CronSpec } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { cronRunService, scheduledRunName } from '../../../../controller/reconcile/cron-run.ts';
import { MAX_ACTIVE_RUNS } from '../../../../controller/reconcile/cron-plan.ts';
import { planService } from '../../../../controller/reconcile/service-plan.ts';
import type { Action, Plan } from '../../../../controller/reconcile/plan.ts';
import { failed, node, service, serviceStatus, snapshot, status, T0, task, taskId } from '../../../support/builders.ts';
import type { SnapshotOptions } from '../../../support/builders.ts';

const HOUR_MS = 3_600_000;
/** Every hour on the hour; made at T0, which is one. */
const SPEC: CronSpec = { schedule: '0 * * * *', timezone: 'UTC', concurrency: 'allow', keptSucceeded: 2, keptFailed: 1, isSuspended: false };
const cronWith = (change: Partial<CronSpec> = {}): Service => service({ name: 'report', kind: 'cron', cron: { ...SPEC, ...change } });
const KEY = 'UTC 0 * * * *';

/** The run of so many hours after T0, with one task in this state. */
interface Run { readonly service: Service; readonly status: ServiceStatus; readonly task: Task }
function run(hour: number, state: 'active' | 'succeeded' | 'failed', of: Service = cronWith()): Run {
  const atMs = T0 + hour * HOUR_MS;
  const made = cronRunService(of, scheduledRunName('report', atMs), { cron: 'report', scheduledAtMs: atMs, isManual: false }, atMs);
  const rollout = { state: state === 'active' ? 'progressing' : state === 'succeeded' ? 'settled' : 'failed', reason: '', revision: 1, startedAtMs: atMs } as const;
  return { service: made, status: serviceStatus(made, { rollout }), task: task(made, 'n1', { id: taskId(`r${String.fromCharCode(97 + Math.floor(hour / 26), 97 + hour % 26)}`) }) };
}
function ended({ task: made }: Run, state: 'active' | 'succeeded' | 'failed') {
  return state === 'active' ? status(made) : state === 'failed' ? failed(made, { finishedAtMs: made.createdAtMs }) : status(made, { phase: 'complete', finishedAtMs: made.createdAtMs + 60_000 });
}

interface Case {
  readonly of?: Service;
  readonly nowMs: number;
  /** What was handled before; absent: the cron is new. */
  readonly handledUntilMs?: number;
  readonly runs?: readonly (readonly [number, 'active' | 'succeeded' | 'failed'])[];
}

function planFor({ of = cronWith(), nowMs, handledUntilMs, runs = [] }: Case, more: SnapshotOptions = {}): Plan {
  const made = runs.map(([hour, state]) => ({ run: run(hour, state, of), state }));
  const before = handledUntilMs === undefined ? [] : [serviceStatus(of, { cron: { scheduleKey: KEY, handledUntilMs } })];
  const state = snapshot({
    services: [of, ...made.map(one => one.run.service)], serviceStatuses: [...before, ...made.map(one => one.run.status)], nodes: [node('n1')],
    tasks: made.map(one => one.run.task), statuses: made.map(one => ended(one.run, one.state)), ...more,
  });
  return planService(state, of.id, { nowMs, clusterId: 'c', times: DEFAULT_TIMES, awayForMs: () => 0, revisionOf: () => undefined });
}

function line(action: Action): readonly string[] {
  const hourOf = (name: string): string => String((Number(name.split('-').at(-1)) * 60_000 - T0) / HOUR_MS);
  switch (action.kind) {
    case 'create-service':
      return [`+${hourOf(action.service.name)}`];
    case 'delete-service':
      return [`-${hourOf(action.serviceId)} ${action.reason}`];
    default:
      return action.kind === 'set-service-status' ? [] : [action.kind];
  }
}

const statusOf = ({ actions }: Plan): ServiceStatus['cron'] => actions.flatMap(action => (action.kind === 'set-service-status' ? [action.status] : []))[0]?.cron;

const plans = test.macro({
  exec(t, input: Case, expected: readonly string[], reasons: readonly string[] = []) {
    const plan = planFor(input);
    t.deepEqual(plan.actions.flatMap(line), [...expected]);
    t.deepEqual(plan.events.map(event => event.reason), [...reasons]);
  },
  title: (name = '') => `planCron: ${name}`,
});
const at = (hours: number): number => T0 + hours * HOUR_MS;

test('a new cron waits for its next time', plans, { nowMs: at(0.5) }, []);
test('the time has come', plans, { nowMs: at(1), handledUntilMs: at(0) }, ['+1'], ['RunStarted']);
test('not a millisecond before', plans, { nowMs: at(1) - 1, handledUntilMs: at(0) }, []);
test('handled times are run no second time', plans, { nowMs: at(1.5), handledUntilMs: at(1) }, []);
test('after an outage the newest missed time is run, once', plans, { nowMs: at(3.2), handledUntilMs: at(0) }, ['+3'], ['MissedRuns', 'RunStarted']);
test('later than the starting deadline: passed over', plans, { of: cronWith({ startingDeadlineMs: 600_000 }), nowMs: at(3) + 600_001, handledUntilMs: at(2) }, [], ['MissedDeadline']);
test('at the starting deadline: run', plans, { of: cronWith({ startingDeadlineMs: 600_000 }), nowMs: at(3) + 600_000, handledUntilMs: at(2) }, ['+3'], ['RunStarted']);
test('allow: beside the one that goes on', plans, { nowMs: at(2), handledUntilMs: at(1), runs: [[1, 'active']] }, ['+2'], ['RunStarted']);
test('forbid: not while one goes on', plans, { of: cronWith({ concurrency: 'forbid' }), nowMs: at(2), handledUntilMs: at(1), runs: [[1, 'active']] }, [], ['RunSkipped']);
test('forbid: once it has ended', plans, { of: cronWith({ concurrency: 'forbid' }), nowMs: at(2), handledUntilMs: at(1), runs: [[1, 'failed']] }, ['+2'], ['RunStarted']);
test('replace: in place of the one that goes on', plans, { of: cronWith({ concurrency: 'replace' }), nowMs: at(2), handledUntilMs: at(1), runs: [[0, 'succeeded'], [1, 'active']] }, ['-1 replaced by the next run', '+2'], ['RunReplaced', 'RunStarted']);
test('suspended: times pass', plans, { of: cronWith({ isSuspended: true }), nowMs: at(9), handledUntilMs: at(0) }, []);
test('history: the oldest beyond those kept go, by their outcome', plans,
  { nowMs: at(6.5), handledUntilMs: at(6), runs: [[0, 'failed'], [1, 'succeeded'], [2, 'failed'], [3, 'succeeded'], [4, 'active'], [5, 'succeeded']] }, ['-0 history', '-1 history']);
test('history: a run that goes on is none', plans, { nowMs: at(6.5), handledUntilMs: at(6), runs: [[1, 'active'], [2, 'active'], [3, 'active'], [4, 'active']] }, []);
const forgetful = service({ name: 'report', kind: 'cron', cron: SPEC, job: { retries: 0, keepMs: 2 * HOUR_MS } });
test('keep: ended runs go when they are that old', plans, { of: forgetful, nowMs: at(5), handledUntilMs: at(5), runs: [[2, 'succeeded'], [4, 'succeeded']] }, ['-2 expired']);

test('the status says what was handled and when to look again', t => {
  const plan = planFor({ nowMs: at(3.2), handledUntilMs: at(0) });
  t.deepEqual(statusOf(plan), { scheduleKey: KEY, handledUntilMs: at(3), lastScheduledAtMs: at(3), nextAtMs: at(4) });
  t.is(plan.wakeAtMs, at(4));
});

test('a leader that died between the run and the status makes no second one', t => {
  const plan = planFor({ nowMs: at(1.1), handledUntilMs: at(0), runs: [[1, 'active']] });
  t.deepEqual(plan.actions.flatMap(line), []);
  t.like(statusOf(plan), { handledUntilMs: at(1), lastScheduledAtMs: at(1) });
});

test('another schedule counts from when it was applied: what it would have run before is not missed', t => {
  const of = { ...cronWith({ schedule: '*/5 * * * *' }), updatedAtMs: at(2) };
  const plan = planFor({ of, nowMs: at(2) + 60_000, handledUntilMs: at(1) });
  t.deepEqual(plan.actions.flatMap(line), []);
  t.like(statusOf(plan), { scheduleKey: 'UTC */5 * * * *', handledUntilMs: at(2), nextAtMs: at(2) + 300_000 });
});

test('what is stored is what would be stored again: nothing to do', t => {
  const first = planFor({ nowMs: at(1), handledUntilMs: at(0) });
  const stored = first.actions.flatMap(action => (action.kind === 'set-service-status' ? [action.status] : []));
  const made = first.actions.flatMap(action => (action.kind === 'create-service' ? [action.service] : []));
  t.deepEqual(planFor({ nowMs: at(1) + 1 }, { services: [cronWith(), ...made], serviceStatuses: stored }).actions, []);
});

test('a cron that is deleted deletes its runs, and goes after the last of them', t => {
  const of = service({ name: 'report', kind: 'cron', cron: SPEC, isDeleting: true });
  t.deepEqual(planFor({ of, nowMs: at(9), runs: [[1, 'active']] }).actions.flatMap(line), ['-1 service-deleted']);
  t.deepEqual(planFor({ of, nowMs: at(9) }).actions.map(action => action.kind), ['remove-service']);
});

test('what is no cron any more deletes its runs', t => {
  const of = service({ name: 'report', kind: 'job' });
  const plan = planFor({ nowMs: at(9), runs: [[1, 'active']] }, { services: [of, run(1, 'active').service], serviceStatuses: [serviceStatus(of, { cron: { scheduleKey: KEY, handledUntilMs: at(1) } })], tasks: [], statuses: [] });
  t.deepEqual(plan.actions.flatMap(line).slice(0, 1), ['-1 not a cron any more']);
});

test('allow: a hundred runs that go on are enough, and the status says so; when one has ended the next starts', t => {
  const hanging = Array.from({ length: MAX_ACTIVE_RUNS }, (_, index) => [index + 1, 'active'] as const);
  const input = { nowMs: at(101), handledUntilMs: at(100) };
  const full = planFor({ ...input, runs: hanging });
  t.deepEqual([full.actions.flatMap(line), full.events.map(event => event.reason)], [[], ['RunSkipped']]);
  t.regex(full.actions.flatMap(action => (action.kind === 'set-service-status' ? [action.status.rollout.reason] : []))[0] ?? '', /^100 runs go on, 100 at most: no other starts/);
  t.deepEqual(planFor({ ...input, runs: [[1, 'succeeded'], ...hanging.slice(1)] }).actions.flatMap(line), ['+101']);
});
