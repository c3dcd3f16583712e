import test from 'ava';
import { fc } from '../../../support/property.ts';
import type { Service, ServiceStatus } from '#model/app.ts';
import { isFinished } from '#model/task.ts';
import type { UpdateSpec } from '#model/service.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { templateHash } from '../../../../controller/api/revision.ts';
import { endpointSet } from '../../../../controller/endpoints/endpoint-set.ts';
import { PaperCluster } from '../../../../controller/reconcile/paper-cluster.ts';
import { activeTemplate, canaryStep } from '../../../../controller/reconcile/rollout-stage.ts';
import { planService } from '../../../../controller/reconcile/service-plan.ts';
import { isLive, isServing, mayRun, rowsOf } from '../../../../controller/reconcile/task-row.ts';
import type { TaskRow } from '../../../../controller/reconcile/task-row.ts';
import { T0, app, container, node, revisionWith, service, serviceStatus, snapshot, status, task, taskId } from '../../../support/builders.ts';

const canary = (percents: readonly number[], more: Partial<UpdateSpec> = {}): Partial<UpdateSpec> => ({ strategy: 'canary', stepPercents: percents, ...more });
const of = (update: Partial<UpdateSpec>, more: Partial<Service> = {}): Service => ({ ...service({ revision: 2, templateHash: 'hash-2', update }), ...more });
const before = service();

const steps = test.macro({
  exec(t, wanted: number, step: number | undefined, limit: number | undefined) {
    const known: ServiceStatus = serviceStatus(before, { rollout: { state: 'progressing', reason: '', revision: 2, startedAtMs: T0, ...(step === undefined ? {} : { step }) } });
    t.is(canaryStep({ service: of(canary([10, 50])), rows: [], status: known }, before, wanted)?.limit, limit);
  },
  title: (_, wanted, step) => `canary of 10%, 50%: ${String(wanted)} replicas, ${String(step)} steps behind`,
});
test(steps, 10, undefined, 1);
test(steps, 11, undefined, 2);
test(steps, 1, undefined, 1);
test(steps, 10, 1, 5);
test(steps, 10, 2, undefined);

test('no steps without another template before, and none once all are promoted', t => {
  t.is(canaryStep({ service: of(canary([10])), rows: [] }, undefined, 10), undefined);
  t.is(canaryStep({ service: of(canary([10])), rows: [] }, of({}), 10), undefined);
  t.is(canaryStep({ service: of(canary([10]), { rollout: { isPaused: false, promotedSteps: 1, isAborted: false } }), rows: [] }, before, 10), undefined);
});

test('steps of an earlier Revision do not count', t => {
  const known = serviceStatus(before, { rollout: { state: 'settled', reason: '', revision: 1, startedAtMs: T0, step: 2 } });
  t.is(canaryStep({ service: of(canary([10, 50])), rows: [], status: known }, before, 10)?.index, 0);
});

const row = (hash: string, id: string, phase: 'running' | 'starting' = 'running'): TaskRow => {
  const made = task(before, 'n1', { templateHash: hash, id: taskId(id) });
  return { task: made, status: status(made, { phase }), node: node('n1') };
};
test('requests go to what most tasks are, until told otherwise', t => {
  const green = of({ strategy: 'blue_green' });
  t.is(activeTemplate({ service: green, rows: [row('hash-2', 'ga')] }), undefined);
  t.is(activeTemplate({ service: green, rows: [row('hash-1', 'ba'), row('hash-1', 'bb'), row('hash-0', 'ca'), row('hash-2', 'ga')] }), 'hash-1');
  t.is(activeTemplate({ service: green, rows: [row('hash-1', 'ba', 'starting'), row('hash-2', 'ga')] }), 'hash-2', 'nothing is lost: no old one serves');
  const told = (active: string): ServiceStatus => serviceStatus(before, { rollout: { state: 'progressing', reason: '', revision: 2, startedAtMs: T0, activeTemplate: active } });
  t.is(activeTemplate({ service: green, rows: [row('hash-1', 'ba'), row('hash-2', 'ga')], status: told('hash-2') }), 'hash-2');
  t.is(activeTemplate({ service: green, rows: [row('hash-1', 'ba'), row('hash-2', 'ga')], status: told('hash-0') }), 'hash-1');
  t.is(activeTemplate({ service: green, rows: [row('hash-0', 'ca', 'starting'), row('hash-1', 'ba')], status: told('hash-0') }), 'hash-1', 'blue serves, and the green before this one does not');
  t.is(activeTemplate({ service: green, rows: [row('hash-0', 'ca', 'starting'), row('hash-2', 'ga')], status: told('hash-0') }), 'hash-0');
  t.is(activeTemplate({ service: of({}), rows: [row('hash-1', 'ba')] }), undefined);
});

/** One rollout on paper, each task reported in an order of the seed's; every look at it is checked. */
interface Run {
  readonly next: Service;
  /** New tasks end by themselves. */
  readonly isBroken?: boolean;
  readonly order: () => number;
  readonly check: (rows: readonly TaskRow[], state: ServiceStatus, serving: number) => void;
}

const NODES = ['n1', 'n2', 'n3', 'n4'].map(name => node(name));
const MAX_TURNS = 2_000;

/** As stored: with the hash of its own spec, which a rollback computes again. */
function stored(of: Service): Service {
  return { ...of, templateHash: templateHash(of.spec, of.pins, of.volumes, 0) };
}

function rollOut(begun: Service, { next, isBroken = false, order, check }: Run): { readonly rows: readonly TaskRow[]; readonly status: ServiceStatus; readonly service: Service } {
  const first = stored(begun);
  const tasks = Array.from({ length: first.spec.replicas }, (_, slot) => task(first, NODES[slot % 4]!, { slot }));
  const statuses = tasks.map((one, index) => status(one, { address: `10.128.0.${String(index + 1)}` }));
  const paper = new PaperCluster(snapshot({ apps: [app()], services: [first], nodes: NODES, tasks, statuses, serviceStatuses: [serviceStatus(first)] }));
  paper.putApp(app(), [next]);
  let nowMs = T0 + 3_600_000;
  for (let turn = 0; turn < MAX_TURNS; turn += 1) {
    const plan = planService(paper.snapshot, next.id, { nowMs, clusterId: 'c', times: DEFAULT_TIMES, awayForMs: () => 0, revisionOf: () => revisionWith(first) });
    plan.actions.forEach(action => { paper.apply(action); });
    const state = paper.snapshot.serviceStatuses.get(next.id)!.value;
    const rows = rowsOf(paper.snapshot, next.id);
    check(rows, state, endpointSet(paper.snapshot).services.find(one => one.id === next.id)?.endpoints.length ?? 0);
    if (plan.actions.length > 0 || reportOne(paper, { next, isBroken, order }, nowMs)) {
      continue;
    }
    if (plan.wakeAtMs === undefined || state.rollout.state !== 'progressing') {
      return { rows, status: state, service: paper.snapshot.services.get(next.id)!.value };
    }
    nowMs = plan.wakeAtMs;
  }
  throw new Error('it did not come to rest');
}

/** One of the things that agents would say next; false: none says anything. */
function reportOne(paper: PaperCluster, { next, isBroken, order }: Pick<Run, 'next' | 'isBroken' | 'order'>, nowMs: number): boolean {
  const events = paper.taskEvents(nowMs);
  const one = events[order() % Math.max(1, events.length)];
  if (one !== undefined) {
    const address = one.address ?? `10.129.0.${one.id.slice(0, 3)}`;
    paper.report(isBroken === true && isNewTask(paper, one.id, next) ? { ...one, phase: 'failed', reason: 'exited', finishedAtMs: nowMs } : { ...one, address });
  }
  return one !== undefined;
}

/** Numbers that look random, from a seed. */
function counter(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state >> 8;
  };
}

function isNewTask(paper: PaperCluster, id: string, next: Service): boolean {
  return [...paper.snapshot.tasks.values()].some(({ value }) => value.id === id && value.templateHash === next.templateHash && value.desired === 'run');
}

const strategies = fc.record({
  strategy: fc.constantFrom('rolling' as const, 'canary' as const, 'blue_green' as const),
  stepPercents: fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 3 }).map(list => [...list].sort((left, right) => left - right)),
  maxSurge: fc.integer({ min: 1, max: 3 }), maxUnavailable: fc.nat(2), monitorMs: fc.constantFrom(0, 30_000),
});

test('property I7: rolling, canary and blue_green never serve with fewer than the minimum, count surge right, and end settled', t => {
  fc.assert(fc.property(strategies, fc.integer({ min: 1, max: 6 }), fc.nat(), (update, replicas, seed) => {
    const image = container({ image: 'docker.io/library/nginx:2' });
    const first = service({ replicas });
    const next = { ...service({ replicas, update, container: image }), revision: 2, templateHash: 'hash-2' };
    const bound = update.strategy === 'blue_green' ? 2 * (replicas + update.maxSurge) : replicas + update.maxSurge;
    const end = rollOut(first, {
      next, order: counter(seed),
      check: (rows, state, serving) => {
        t.true(serving >= replicas - update.maxUnavailable, `${String(serving)} of ${String(replicas)} serve`);
        t.true(rows.filter(mayRun).length <= bound, `${String(rows.filter(mayRun).length)} copies`);
        const step = update.strategy === 'canary' ? update.stepPercents[state.rollout.step ?? 0] : undefined;
        const renewed = rows.filter(one => isLive(one) && one.task.templateHash === 'hash-2').length;
        t.true(step === undefined || state.rollout.revision !== 2 || renewed <= Math.max(1, Math.ceil(replicas * step / 100)), `${String(renewed)} new at ${String(step)}%`);
      },
    });
    t.is(end.status.rollout.state, 'settled');
    t.is(end.rows.filter(one => isLive(one) && isServing(one) && one.task.templateHash === 'hash-2').length, replicas);
    t.is(end.rows.filter(isLive).length, replicas);
  }), { numRuns: 150 });
});

test('property: what ends by itself is rolled back by every strategy, and the old ones serve all the while', t => {
  fc.assert(fc.property(strategies, fc.integer({ min: 1, max: 5 }), fc.nat(), (update, replicas, seed) => {
    const first = service({ replicas });
    const next = { ...service({ replicas, update: { ...update, maxUnavailable: 0 }, container: container({ image: 'docker.io/library/nginx:bad' }) }), revision: 2, templateHash: 'hash-2' };
    const end = rollOut(first, {
      next, isBroken: true, order: counter(seed),
      check: (_, __, serving) => { t.is(serving, replicas); },
    });
    t.is(end.service.revision, 1);
    t.is(end.status.rollout.state, 'rolled_back');
    t.is(end.rows.filter(one => isLive(one) && isServing(one)).length, replicas);
    t.true(end.rows.filter(isLive).every(one => one.task.templateHash !== 'hash-2' && !isFinished(one.status?.phase ?? 'pending')));
  }), { numRuns: 100 });
});

test('a manual canary stops at each step until it is promoted', t => {
  const first = service({ replicas: 10 });
  const next = { ...service({ replicas: 10, update: canary([10, 50], { promote: 'manual' }), container: container({ image: 'x' }) }), revision: 2, templateHash: 'hash-2' };
  const waits = (promotedSteps: number): string => {
    const end = rollOut(first, { next: { ...next, rollout: { isPaused: false, promotedSteps, isAborted: false } }, order: () => 0, check: () => undefined });
    return `${end.status.rollout.state} ${String(end.rows.filter(one => isLive(one) && one.task.templateHash === 'hash-2').length)} ${end.status.rollout.reason}`;
  };
  t.is(waits(0), 'awaiting_promotion 1 step 1 of 2 (10%) is healthy; go on with: clusterctl rollout promote shop/web');
  t.is(waits(1), 'awaiting_promotion 5 step 2 of 2 (50%) is healthy; go on with: clusterctl rollout promote shop/web');
  t.is(waits(2), 'settled 10 ');
});

test('a manual blue_green has both sets whole until it is promoted, and only blue is asked', t => {
  const first = service({ replicas: 3 });
  const next = { ...service({ replicas: 3, update: { strategy: 'blue_green', promote: 'manual' }, container: container({ image: 'x' }) }), revision: 2, templateHash: 'hash-2' };
  let served = 0;
  const end = rollOut(first, { next, order: () => 0, check: (_, __, serving) => { served = serving; } });
  t.like(end.status.rollout, { state: 'awaiting_promotion', activeTemplate: stored(first).templateHash });
  t.is(end.rows.filter(one => isServing(one)).length, 6);
  t.is(served, 3);
});

test('paused: nothing is replaced, and the state says so', t => {
  const first = service({ replicas: 3 });
  const next = { ...service({ replicas: 3, container: container({ image: 'x' }) }), revision: 2, templateHash: 'hash-2', rollout: { isPaused: true, promotedSteps: 0, isAborted: false } };
  const end = rollOut(first, { next, order: () => 0, check: () => undefined });
  t.like(end.status.rollout, { state: 'paused', reason: 'paused by an operator' });
  t.true(end.rows.every(one => one.task.templateHash !== 'hash-2'));
});

test('aborted: back to what was settled, also where failures only pause', t => {
  const first = service({ replicas: 3 });
  const next = { ...service({ replicas: 3, update: { onFailure: 'pause' }, container: container({ image: 'x' }) }), revision: 2, templateHash: 'hash-2', rollout: { isPaused: true, promotedSteps: 0, isAborted: true } };
  const end = rollOut(first, { next, order: () => 0, check: () => undefined });
  t.like(end.status.rollout, { state: 'rolled_back', reason: 'revision 2 rolled back to 1: aborted by an operator' });
  t.is(end.service.revision, 1);
  t.is(end.service.rollout, undefined);
});
