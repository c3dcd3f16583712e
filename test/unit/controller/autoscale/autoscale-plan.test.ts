import test from 'ava';
import type { AutoscaleStatus } from '#model/app.ts';
import { planAutoscale, scaledServices } from '../../../../controller/autoscale/autoscale-plan.ts';
import { EMPTY_PLAN } from '../../../../controller/reconcile/plan.ts';
import { planService } from '../../../../controller/reconcile/service-plan.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { node, service, serviceStatus, snapshot, T0, task } from '../../../support/builders.ts';

const METRIC = { min: 1, max: 9, metric: { query: 'q', target: 10 }, stabilizationMs: 300_000, upStabilizationMs: 0 };
const of = service({ replicas: 3, autoscale: METRIC });
const before: AutoscaleStatus = { replicas: 3, changedAtMs: T0 - 1, reason: 'as it was', wishes: [] };
/** What its first plan leaves behind. */
const STEADY = serviceStatus(of, { rollout: { state: 'settled', reason: '', revision: 1, startedAtMs: T0, healthySinceMs: T0 } });
const NOW_MS = T0 + 60_000;

function plan(value: number | string, autoscale: AutoscaleStatus | 'none' = before, services = [of]) {
  const answer = typeof value === 'number' ? { kind: 'value', value } as const : { kind: 'problem', message: value } as const;
  const statuses = services.map(one => serviceStatus(one, autoscale === 'none' ? {} : { autoscale }));
  return planAutoscale(snapshot({ services, serviceStatuses: statuses }), of.id, { use: new Map(), answer, nowMs: NOW_MS });
}

test('what is wanted already is no action', t => {
  t.deepEqual(plan(30), EMPTY_PLAN);
});

test('another number goes into the status with its reason, and is told', t => {
  const { actions, events } = plan(55);
  t.like(actions, { length: 1, 0: { kind: 'set-service-status', status: { ...serviceStatus(of), autoscale: { replicas: 6, changedAtMs: NOW_MS, reason: 'the metric is 55, 10 for each replica' } } } });
  t.deepEqual(events.map(event => `${event.reason}: ${event.message}`), ['Scaled: from 3 to 6 replicas: the metric is 55, 10 for each replica']);
});

test('what holds it back is remembered without an event', t => {
  const { actions, events } = plan(10);
  t.like(actions[0], { status: { autoscale: { replicas: 3, changedAtMs: T0 - 1, wishes: [{ replicas: 3, least: 1 }] } } });
  t.deepEqual(events, []);
});

test('what cannot be measured is told once, and changes nothing', t => {
  const first = plan('no answer');
  t.like(first.actions[0], { status: { autoscale: { ...before, problem: 'the metric is not known: no answer' } } });
  t.deepEqual(first.events.map(event => [event.type, event.reason, event.message]), [['warning', 'AutoscaleBlind', 'the metric is not known: no answer; until it is, it is not scaled down']]);
  t.deepEqual(plan('no answer', { ...before, problem: 'the metric is not known: no answer' }), EMPTY_PLAN);
});

test('a problem that is over is forgotten', t => {
  const [action] = plan(30, { ...before, problem: 'gone' }).actions;
  t.deepEqual(action?.kind === 'set-service-status' ? action.status.autoscale : undefined, before);
});

test('the first look takes what the manifest says', t => {
  t.like(plan(30, 'none').actions[0], { status: { autoscale: { replicas: 3, reason: 'as its manifest says', changedAtMs: NOW_MS } } });
});

test('limits that an apply changed hold at once and are written down', t => {
  const narrower = service({ replicas: 3, autoscale: { ...METRIC, min: 5 } });
  t.like(plan(30, before, [narrower]).actions[0], { status: { autoscale: { replicas: 5, reason: 'as its manifest says' } } });
});

test('a service without a status, one that does not scale and one that is not there are left alone', t => {
  t.deepEqual(planAutoscale(snapshot({ services: [of] }), of.id, { use: new Map(), nowMs: T0 }), EMPTY_PLAN);
  t.deepEqual(plan(90, 'none', [service({})]), EMPTY_PLAN);
  t.deepEqual(planAutoscale(snapshot({}), of.id, { use: new Map(), nowMs: T0 }), EMPTY_PLAN);
  t.deepEqual(plan(90, before, [service({ replicas: 3, autoscale: METRIC, isDeleting: true })]), EMPTY_PLAN);
});

test('services that scale are listed by their ids', t => {
  const services = [service({ name: 'web', autoscale: METRIC }), service({ name: 'api', autoscale: METRIC }), service({ name: 'db' })];
  t.deepEqual(scaledServices(snapshot({ services })).map(one => one.name), ['api', 'web']);
});

test('the reconciler makes and stops tasks by the number in the status, and keeps it', t => {
  const context = { nowMs: T0, clusterId: 'c', times: DEFAULT_TIMES, awayForMs: () => 0, revisionOf: () => undefined };
  const tasks = [0, 1, 2].map(slot => task(of, 'n1', { slot }));
  const planned = (replicas: number) => planService(snapshot({
    services: [of], nodes: [node('n1')], tasks, serviceStatuses: [{ ...STEADY, autoscale: { ...before, replicas } }],
  }), of.id, context).actions;
  t.deepEqual(planned(3), []);
  t.deepEqual(planned(5).map(action => (action.kind === 'create-task' ? action.task.slot : action.kind)), [3, 4, 'set-service-status']);
  t.like(planned(5).at(-1), { status: { autoscale: { replicas: 5 } } });
  t.deepEqual(planned(1).filter(action => action.kind === 'stop-task').map(action => action.reason), ['scale-down', 'scale-down']);
});
