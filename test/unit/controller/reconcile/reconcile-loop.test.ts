import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { TEST_TIMES } from '#model/times.ts';
import type { Times } from '#model/times.ts';
import { DeposedError } from '../../../../controller/leadership-loop.ts';
import { planNodes } from '../../../../controller/reconcile/node-plan.ts';
import { EMPTY_PLAN } from '../../../../controller/reconcile/plan.ts';
import type { Plan, PlannedEvent } from '../../../../controller/reconcile/plan.ts';
import type { PlanContext } from '../../../../controller/reconcile/plan-context.ts';
import { ReconcileLoop } from '../../../../controller/reconcile/reconcile-loop.ts';
import type { Planners, ReconcileTurn } from '../../../../controller/reconcile/reconcile-loop.ts';
import { RevisionCache } from '../../../../controller/reconcile/revision-store.ts';
import { tryToLead } from '../../../../controller/store/election-store.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import type { RecordKey } from '../../../../controller/store/keys.ts';
import type { Operation } from '../../../../controller/store/ports.ts';
import {
  decodeNode, encodeControllerRecord, encodeNode, encodeService, encodeServiceStatus, encodeSessionRecord, encodeTask, encodeTaskStatus,
} from '../../../../controller/store/records.ts';
import { ClusterWatch } from '../../../../controller/store/watch-loop.ts';
import type { ServiceId } from '#model/ids.ts';
import { node, service, serviceStatus, status, task, taskId } from '../../../support/builders.ts';
import { FakeClock, settle, T0 } from '../../../support/fake-clock.ts';
import { MemoryEtcd } from '../../../support/memory-store.ts';
import type { MemoryStore } from '../../../support/memory-store.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

const n1 = node('n1');
const web = service({ name: 'web', replicas: 3 });
const api = service({ name: 'api' });
const put = (key: RecordKey, value: Uint8Array): Operation => ({ kind: 'put', key: buildKey(key), value });

/** Creates one missing task a turn, so that each turn must see the one before. */
function oneByOne(snapshot: ClusterSnapshot, id: ServiceId): Plan {
  const wanted = snapshot.services.get(id)?.value;
  const present = snapshot.tasksOfService.get(id)?.size ?? 0;
  if (wanted === undefined || present >= wanted.spec.replicas) {
    return EMPTY_PLAN;
  }
  const next = task(wanted, n1, { slot: present, id: taskId(`${wanted.name}${String.fromCharCode(97 + present)}`) });
  return { actions: [{ kind: 'create-task', task: next, reason: 'scale-up' }], events: [{ type: 'normal', object: `service/${id}`, reason: 'Created', message: next.id }] };
}

interface Bench {
  readonly clock: FakeClock;
  readonly etcd: MemoryEtcd;
  readonly store: MemoryStore;
  readonly events: PlannedEvent[];
  readonly turns: ReconcileTurn[];
  readonly running: Promise<unknown>;
  readonly tasks: () => number;
}

function reconciling(title: string, planners: Partial<Planners>, operations: readonly Operation[], body: (t: ExecutionContext, bench: Bench) => Promise<void>, times: Times = TEST_TIMES): void {
  test(title, async t => {
    const clock = new FakeClock();
    const etcd = new MemoryEtcd(clock);
    const [store, abort] = [etcd.connect(), new AbortController()];
    const candidacy = await tryToLead(store, { id: 'c1', apiAddress: 'a', metricsAddress: 'b', startedAtMs: T0 }, 1e9, abort.signal);
    etcd.commit([], operations);
    const cluster = new ClusterWatch({ store, clock, logger: silentLogger, relistMs: 1e9, random: () => 0.5 });
    const watching = cluster.run(abort.signal).catch((error: unknown) => error);
    await cluster.ready(abort.signal);
    const [events, turns]: [PlannedEvent[], ReconcileTurn[]] = [[], []];
    const loop = new ReconcileLoop({
      store, clock, logger: silentLogger, cluster, times, clusterId: 'cluster', random: () => 0.5, revisions: new RevisionCache(store),
      events: { record: more => { events.push(...more); } },
      planners: { service: oneByOne, app: () => EMPTY_PLAN, nodes: planNodes, volumes: () => EMPTY_PLAN, ...planners },
      onTurn: turn => { turns.push(turn); },
    }, { epoch: candidacy!.epoch, isHeld: () => true });
    const running = loop.run(abort.signal).catch((error: unknown) => error);
    await settle();
    try {
      await body(t, { clock, etcd, store, events, turns, running, tasks: () => etcd.range(['/gantry/v1/tasks/']).length });
    } finally {
      abort.abort(new Error('over'));
      await Promise.all([running, watching]);
    }
  });
}

const oneService = [put({ kind: 'node', id: n1.id }, encodeNode(n1)), put({ kind: 'service', id: web.id }, encodeService(web))];

reconciling('1 a term begins with all keys and goes on until plans are empty', {}, oneService, async (t, { clock, tasks, events }) => {
  await clock.advance(10);
  t.is(tasks(), 3);
  t.is(events.length, 3);
});

reconciling('what a plan wrote leaves before the next one is made', {}, [], async (t, { clock, etcd, tasks }) => {
  const turned = Promise.withResolvers<undefined>();
  clock.turn = async () => { await turned.promise; };
  etcd.commit([], oneService);
  await settle();
  t.is(tasks(), 1);
  turned.resolve(undefined);
  await settle();
  t.is(tasks(), 3);
});

reconciling('1 a change of a service is looked at', {}, oneService, async (t, { clock, etcd, tasks }) => {
  await clock.advance(10);
  etcd.commit([], [put({ kind: 'service', id: api.id }, encodeService(api))]);
  await clock.advance(10);
  t.is(tasks(), 3 + api.spec.replicas);
});

let interfere: (() => void) | undefined;
reconciling('a record that changes between plan and write is a conflict, and is decided again', {
  service: (snapshot, id) => {
    const plan = oneByOne(snapshot, id);
    interfere?.();
    interfere = undefined;
    return plan;
  },
}, oneService, async (t, { clock, etcd, tasks, turns }) => {
  interfere = () => { etcd.commit([], [put({ kind: 'node', id: n1.id }, encodeNode({ ...n1, taints: ['x'] }))]); };
  etcd.commit([], [put({ kind: 'service', id: api.id }, encodeService(api))]);
  await clock.advance(200);
  t.is(tasks(), 3 + api.spec.replicas);
  t.is(turns.filter(turn => turn.outcome === 'conflict').length, 1);
}, { ...TEST_TIMES, relistMs: 1e9 });

reconciling('2 wakeAtMs brings the key back by the wall clock', {
  service: (_snapshot, _id, context: PlanContext) => (context.nowMs < T0 + 2_000 ? { ...EMPTY_PLAN, wakeAtMs: T0 + 2_000 } : oneByOne(_snapshot, _id)),
}, oneService, async (t, { clock, tasks }) => {
  await clock.advance(1_900);
  t.is(tasks(), 0);
  await clock.advance(400);
  t.is(tasks(), 3);
}, { ...TEST_TIMES, relistMs: 1e9 });

let broken = true;
reconciling('3 a plan that throws stops no other service, and is tried again', {
  service: (snapshot, id) => {
    if (broken && id === web.id) {
      throw new RangeError('a bug');
    }
    return oneByOne(snapshot, id);
  },
}, [...oneService, put({ kind: 'service', id: api.id }, encodeService(api))], async (t, { clock, tasks, turns }) => {
  await clock.advance(10);
  t.is(tasks(), api.spec.replicas);
  t.true(turns.some(turn => turn.outcome === 'failed'));
  broken = false;
  await clock.advance(31_000);
  t.is(tasks(), 3 + api.spec.replicas);
}, { ...TEST_TIMES, relistMs: 1e9 });

reconciling('4 a refused epoch ends the loop by DeposedError', {}, [], async (t, { clock, etcd, running }) => {
  etcd.revokeAll();
  etcd.commit([], oneService);
  await clock.advance(10);
  t.true(await running instanceof DeposedError);
});

reconciling('an outage of etcd is waited out', {}, oneService, async (t, { clock, etcd, store, tasks }) => {
  await clock.advance(10);
  store.cut();
  etcd.commit([], [put({ kind: 'service', id: api.id }, encodeService(api))]);
  await clock.advance(3_000);
  t.is(tasks(), 3);
  store.heal();
  await clock.advance(2_000);
  t.is(tasks(), 3 + api.spec.replicas);
});

reconciling('a service that waits for room is looked at when a task ends somewhere', {
  service: (snapshot, id) => {
    if (id !== api.id) {
      return EMPTY_PLAN;
    }
    return snapshot.statuses.size > 0 ? oneByOne(snapshot, id) : EMPTY_PLAN;
  },
}, [...oneService, put({ kind: 'service', id: api.id }, encodeService(api))], async (t, { clock, etcd, tasks }) => {
  const ended = task(web, n1, { id: taskId('ended') });
  etcd.commit([], [put({ kind: 'service-status', id: api.id }, encodeServiceStatus(serviceStatus(api, { pending: [{ slot: 0, reason: 'full' }] })))]);
  etcd.commit([], [put({ kind: 'task', id: ended.id }, encodeTask(ended))]);
  await clock.advance(1_000);
  t.is(tasks(), 1);
  etcd.commit([], [put({ kind: 'status', id: ended.id }, encodeTaskStatus(status(ended, { phase: 'complete' })))]);
  await clock.advance(600);
  t.is(tasks(), 1 + api.spec.replicas);
}, { ...TEST_TIMES, relistMs: 1e9 });

const silent = { ...n1, condition: 'silent' as const };
const others = ['n2', 'n3', 'n4'].map(name => node(name));
const cluster = [
  put({ kind: 'controller', id: 'c1' }, encodeControllerRecord({ id: 'c1', apiAddress: 'a', metricsAddress: 'b', startedAtMs: T0 })),
  put({ kind: 'node', id: silent.id }, encodeNode(silent)),
  ...others.flatMap(one => [
    put({ kind: 'node', id: one.id }, encodeNode(one)),
    put({ kind: 'session', id: one.id }, encodeSessionRecord({ node: one.id, sessionId: 's', controllerId: 'c1', openedAtMs: T0, instanceNonce: '' })),
  ]),
];
const conditionOf = (etcd: MemoryEtcd): string => decodeNode(etcd.read(buildKey({ kind: 'node', id: n1.id }))!.value).condition;

reconciling('a silent node is lost after EVICT, by the clock alone', {}, cluster, async (t, { clock, etcd }) => {
  await clock.advance(TEST_TIMES.evictMs - 300);
  t.is(conditionOf(etcd), 'silent');
  await clock.advance(900);
  t.is(conditionOf(etcd), 'lost');
});

reconciling('I18 a stall of our own is no silence: what was counted before it stays', {}, cluster, async (t, { clock, etcd }) => {
  await clock.advance(TEST_TIMES.evictMs - 1_000);
  clock.stall(10_000);
  await clock.advance(700);
  t.is(conditionOf(etcd), 'silent');
  await clock.advance(1_000);
  t.is(conditionOf(etcd), 'lost');
});

reconciling('a leader that stalls again and again gives up a silent node', {}, cluster, async (t, { clock, etcd }) => {
  for (let stalls = 0; stalls < 2 * TEST_TIMES.evictMs / 1_000; stalls += 1) {
    await clock.advance(1_000);
    clock.stall(2 * TEST_TIMES.stallMs);
  }
  await clock.advance(1_000);
  t.is(conditionOf(etcd), 'lost');
});

reconciling('I18 a node that is ready again is not lost, whatever was counted', {}, cluster, async (t, { clock, etcd }) => {
  await clock.advance(TEST_TIMES.evictMs - 300);
  etcd.commit([], [
    put({ kind: 'node', id: n1.id }, encodeNode(n1)),
    put({ kind: 'session', id: n1.id }, encodeSessionRecord({ node: n1.id, sessionId: 's', controllerId: 'c1', openedAtMs: T0, instanceNonce: '' })),
  ]);
  await clock.advance(5 * TEST_TIMES.evictMs);
  t.is(conditionOf(etcd), 'ready');
});

let slowMs = 0;
const slow: Partial<Planners> = {
  service: () => {
    slowMs += 30;
    return EMPTY_PLAN;
  },
};

reconciling('between plans that take long and change nothing, the event loop has a turn', slow, [
  put({ kind: 'service', id: web.id }, encodeService(web)), put({ kind: 'service', id: api.id }, encodeService(api)),
], async (t, { clock }) => {
  const [monotonicMs, turn] = [clock.monotonicMs.bind(clock), clock.turn.bind(clock)];
  let turns = 0;
  clock.monotonicMs = () => monotonicMs() + slowMs;
  clock.turn = async () => {
    turns += 1;
    await turn();
  };
  const beforeMs = slowMs;
  await clock.advance(2 * TEST_TIMES.relistMs);
  const plans = (slowMs - beforeMs) / 30;
  t.true(plans >= 2, String(plans));
  t.true(turns >= plans, `${String(turns)} turns, ${String(plans)} plans`);
});
