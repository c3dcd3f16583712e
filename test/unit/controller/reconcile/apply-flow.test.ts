import test from 'ava';
import { appId } from '#model/ids.ts';
import { NO_RESOURCES } from '#model/resources.ts';
import { applyPlan } from '../../../../controller/reconcile/apply-flow.ts';
import type { Applier, ApplyOutcome } from '../../../../controller/reconcile/apply-flow.ts';
import type { Action } from '../../../../controller/reconcile/plan.ts';
import { tryToLead } from '../../../../controller/store/election-store.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import type { RecordKey } from '../../../../controller/store/keys.ts';
import type { Operation } from '../../../../controller/store/ports.ts';
import {
  decodeLedger, decodeTask, encodeApp, encodeLedger, encodeNode, encodeService, encodeServiceStatus, encodeTask, encodeTaskStatus,
} from '../../../../controller/store/records.ts';
import { ClusterMirror } from '../../../../controller/store/snapshot.ts';
import { app, container, node, resources, service, serviceStatus, status, task, taskId } from '../../../support/builders.ts';
import { FakeClock, T0 } from '../../../support/fake-clock.ts';
import { MemoryEtcd } from '../../../support/memory-store.ts';
import type { MemoryStore } from '../../../support/memory-store.ts';

const n1 = node('n1');
const web = service({ name: 'web', container: { requests: resources(100, 64), ports: [{ published: 80, target: 80, protocol: 'tcp', mode: 'host', allowFrom: [] }] } });
const put = (key: RecordKey, value: Uint8Array): Operation => ({ kind: 'put', key: buildKey(key), value });
const create = (id: string, on = n1): Action => ({ kind: 'create-task', task: task(web, on, { id: taskId(id) }), reason: 'scale-up' });

/** A name of letters for a number below 676. */
const numbered = (index: number): string => String.fromCharCode(97 + Math.floor(index / 26), 97 + (index % 26));

interface Bench {
  readonly etcd: MemoryEtcd;
  readonly store: MemoryStore;
  readonly mirror: ClusterMirror;
  readonly applier: Applier;
  readonly apply: (actions: readonly Action[], options?: Partial<Applier>) => Promise<ApplyOutcome>;
  /** Brings the mirror up to date. */
  readonly catchUp: () => void;
}

/** A leader over etcd with one node and one service. */
async function bench(operations: readonly Operation[] = []): Promise<Bench> {
  const etcd = new MemoryEtcd(new FakeClock());
  const store = etcd.connect();
  const { signal } = new AbortController();
  const candidacy = await tryToLead(store, { id: 'c1', apiAddress: 'a', metricsAddress: 'b', startedAtMs: T0 }, 10_000, signal);
  etcd.commit([], [put({ kind: 'node', id: n1.id }, encodeNode(n1)), put({ kind: 'service', id: web.id }, encodeService(web)), ...operations]);
  const mirror = new ClusterMirror();
  const catchUp = (): void => {
    mirror.beginList();
    mirror.reset({ etcdRevision: etcd.etcdRevision, entries: etcd.range(['/gantry/v1/']) });
  };
  catchUp();
  const applier: Applier = { store, epoch: candidacy!.epoch, isHeld: () => true, nowMs: T0 };
  const apply: Bench['apply'] = (actions, options = {}) => applyPlan({ actions, events: [] }, mirror.current, { ...applier, ...options }, signal);
  return { etcd, store, mirror, applier, apply, catchUp };
}

test('a create writes the task and the ledger of its node in one revision', async t => {
  const { etcd, apply } = await bench();
  const outcome = await apply([create('a'), create('b')]);
  t.is(outcome.kind, 'committed');
  const ledger = etcd.read(buildKey({ kind: 'ledger', id: n1.id }));
  t.deepEqual(decodeLedger(ledger!.value), { node: n1.id, requests: resources(200, 128), hostPorts: ['tcp/80'] });
  t.is(etcd.read(buildKey({ kind: 'task', id: taskId('a') }))?.modRevision, ledger?.modRevision);
});

test('the ledger counts unfinished tasks, also those that are to stop, and not finished ones', async t => {
  const [running, ended] = [task(web, n1, { id: taskId('r'), desired: 'stop' }), task(web, n1, { id: taskId('e') })];
  const { etcd, apply } = await bench([
    put({ kind: 'task', id: running.id }, encodeTask(running)), put({ kind: 'task', id: ended.id }, encodeTask(ended)),
    put({ kind: 'status', id: ended.id }, encodeTaskStatus(status(ended, { phase: 'complete' }))),
  ]);
  await apply([create('a')]);
  t.deepEqual(decodeLedger(etcd.read(buildKey({ kind: 'ledger', id: n1.id }))!.value).requests, resources(200, 128));
});

test('A2 a plan of an epoch that is over is refused as a whole: deposed', async t => {
  const { etcd, apply } = await bench();
  etcd.revokeAll();
  const revision = etcd.etcdRevision;
  t.is((await apply([create('a')])).kind, 'deposed');
  t.is(etcd.etcdRevision, revision);
});

test('a leader whose own clock says that the lease may be over sends nothing', async t => {
  const { etcd, apply } = await bench();
  const revision = etcd.etcdRevision;
  t.is((await apply([create('a')], { isHeld: () => false })).kind, 'deposed');
  t.is(etcd.etcdRevision, revision);
});

for (const [what, key, value] of [
  ['ledger', { kind: 'ledger', id: n1.id }, encodeLedger({ node: n1.id, requests: NO_RESOURCES, hostPorts: [] })],
  ['service', { kind: 'service', id: web.id }, encodeService({ ...web, updatedAtMs: T0 + 1 })],
  ['node', { kind: 'node', id: n1.id }, encodeNode({ ...n1, availability: 'draining' })],
] as const) {
  test(`a create decided from an older ${what} is a conflict that names it`, async t => {
    const { etcd, apply, catchUp } = await bench();
    etcd.commit([], [put(key, value)]);
    t.like(await apply([create('a')]), { kind: 'conflict', failed: [buildKey(key)], etcdRevision: etcd.etcdRevision });
    t.is(etcd.read(buildKey({ kind: 'task', id: taskId('a') })), undefined);
    catchUp();
    t.is((await apply([create('a')])).kind, 'committed');
  });
}

test('a stop keeps the task and says why; it conflicts with a task that changed', async t => {
  const one = task(web, n1, { id: taskId('a') });
  const { etcd, apply, catchUp } = await bench([put({ kind: 'task', id: one.id }, encodeTask(one))]);
  const stop: Action = { kind: 'stop-task', taskId: one.id, reason: 'scale-down' };
  t.is((await apply([stop])).kind, 'committed');
  t.like(decodeTask(etcd.read(buildKey({ kind: 'task', id: one.id }))!.value), { desired: 'stop', reason: 'scale-down', node: n1.id });
  t.is((await apply([stop])).kind, 'conflict');
  catchUp();
  t.is((await apply([{ kind: 'remove-task', taskId: one.id, reason: 'ended' }])).kind, 'committed');
  t.is(etcd.read(buildKey({ kind: 'task', id: one.id })), undefined);
});

test('a service status is created where there was none, and replaced where nobody else replaced it', async t => {
  const { etcd, apply, catchUp } = await bench();
  const set: Action = { kind: 'set-service-status', status: serviceStatus(web) };
  t.is((await apply([set])).kind, 'committed');
  t.is((await apply([set])).kind, 'conflict');
  catchUp();
  t.is((await apply([set])).kind, 'committed');
  etcd.commit([], [put({ kind: 'service-status', id: web.id }, encodeServiceStatus(serviceStatus(web)))]);
  t.is((await apply([set])).kind, 'conflict');
});

test('a plan that is too big is several transactions, each with its ledger, and the later compares what the earlier wrote', async t => {
  const { etcd, apply } = await bench();
  const before = etcd.etcdRevision;
  const actions = Array.from({ length: 300 }, (_, index) => create(numbered(index)));
  t.is((await apply(actions)).kind, 'committed');
  const batches = etcd.historyAfter(before);
  t.true(batches.length >= 3);
  for (const batch of batches) {
    t.true(batch.changes.length <= 120);
    const tasks = etcd.range(['/gantry/v1/tasks/']).filter(entry => entry.modRevision <= batch.etcdRevision).length;
    const ledger = batch.changes.find(change => change.kind === 'put' && change.entry.key === buildKey({ kind: 'ledger', id: n1.id }));
    t.is(ledger?.kind === 'put' ? decodeLedger(ledger.entry.value).requests.milliCpu : 0, tasks * 100);
  }
  t.is(etcd.range(['/gantry/v1/tasks/']).length, 300);
});

test('a plan of big records stays below the size of a transaction', async t => {
  const { etcd, apply } = await bench();
  const before = etcd.etcdRevision;
  const environment = [{ name: 'BIG', value: 'x'.repeat(120_000) }];
  const actions = Array.from({ length: 20 }, (_, index): Action => ({
    kind: 'create-task', reason: 'scale-up', task: task(web, n1, { id: taskId(numbered(index)), container: container({ environment }) }),
  }));
  t.is((await apply(actions)).kind, 'committed');
  t.true(etcd.historyAfter(before).length >= 3);
});

test('an answer that got lost is read back: what landed counts', async t => {
  const { etcd, store, apply } = await bench();
  store.swallowAnswers = 1;
  t.deepEqual(await apply([create('a')]), { kind: 'committed', etcdRevision: etcd.etcdRevision });
});

test('a write that may still land ends the term: only a new epoch keeps it out', async t => {
  const { store, apply } = await bench();
  store.swallowWrites = 1;
  t.like(await apply([create('a')]), { kind: 'deposed' });
});

test('delete-app marks the App and its services in one revision; remove-app takes its revisions first', async t => {
  const shop = appId('default', 'shop');
  const { etcd, apply, catchUp } = await bench([
    put({ kind: 'app', id: shop }, encodeApp(app('shop'))),
    ...Array.from({ length: 119 }, (_, index) => put({ kind: 'revision', app: shop, number: index }, new Uint8Array([1]))),
  ]);
  etcd.commit([], [put({ kind: 'revision', app: shop, number: 500 }, new Uint8Array([1])), put({ kind: 'revision', app: appId('default', 'shop-2'), number: 1 }, new Uint8Array([1]))]);
  t.is((await apply([{ kind: 'delete-app', appId: shop, reason: 'expired' }])).kind, 'committed');
  catchUp();
  t.is(etcd.read(buildKey({ kind: 'app', id: shop }))?.modRevision, etcd.read(buildKey({ kind: 'service', id: web.id }))?.modRevision);
  t.is((await apply([{ kind: 'remove-service', serviceId: web.id, reason: 'deleted' }, { kind: 'remove-app', appId: shop, reason: 'deleted' }])).kind, 'committed');
  t.deepEqual(etcd.range(['/gantry/v1/revisions/']).map(entry => entry.key), ['/gantry/v1/revisions/default/shop-2/0000000001']);
  t.is(etcd.read(buildKey({ kind: 'app', id: shop })), undefined);
});

test('remove-app conflicts with an App that was applied again, and then takes none of its revisions', async t => {
  const shop = appId('default', 'shop');
  const { etcd, apply } = await bench([put({ kind: 'app', id: shop }, encodeApp(app('shop'))), put({ kind: 'revision', app: shop, number: 1 }, new Uint8Array([1]))]);
  etcd.commit([], [put({ kind: 'app', id: shop }, encodeApp({ ...app('shop'), revision: 2 }))]);
  t.is((await apply([{ kind: 'remove-app', appId: shop, reason: 'deleted' }])).kind, 'conflict');
  t.is(etcd.range(['/gantry/v1/revisions/']).length, 1);
});

test('a node condition is written with the time of the decision', async t => {
  const { mirror, apply, catchUp } = await bench();
  t.is((await apply([{ kind: 'set-node-condition', node: n1.id, condition: 'lost', reason: 'silent' }])).kind, 'committed');
  catchUp();
  t.like(mirror.current.nodes.get(n1.id)?.value, { condition: 'lost', conditionSinceMs: T0 });
});
