import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import type { ClusterView, ListFilter } from '#model/ports.ts';
import { createViewApi } from '../../../../controller/api/view-api.ts';
import { SessionTable } from '../../../../controller/api/session-table.ts';
import { ClusterWatch } from '../../../../controller/store/watch-loop.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { collect } from '../../../support/held-objects.ts';
import { MemoryReplica, OPERATOR } from '../../../support/memory-replica.ts';
import { MemoryEtcd } from '../../../support/memory-store.ts';
import { silentLogger } from '../../../support/silent-logger.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import { encodeNode, encodeService, encodeTask, encodeTaskStatus } from '../../../../controller/store/records.ts';
import { node, service, status, task, taskId } from '../../../support/builders.ts';

test('a reader that goes while a view is on its way to it is no unhandled failure', async t => {
  const clock = new FakeClock();
  const store = new MemoryEtcd(clock).connect();
  const state = new ClusterWatch({ store, clock, logger: silentLogger, relistMs: 5_000, random: () => 0.5 });
  const reader = new AbortController();
  const api = createViewApi({ store, state, clock, sessions: new SessionTable(), version: '0', clusterId: 'c', signal: new AbortController().signal });
  const views = api.watch({}, { role: 'operator', name: 'ann', address: '127.0.0.1' }, reader.signal)[Symbol.asyncIterator]();
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => { unhandled.push(reason); };
  process.on('unhandledRejection', onUnhandled);
  try {
    t.false((await views.next()).done);
    reader.abort(new Error('the caller is gone'));
    await settle();
    await new Promise(resolve => { setImmediate(resolve); });
    t.deepEqual(unhandled, []);
  } finally {
    process.off('unhandledRejection', onUnhandled);
  }
});

test('100 watchers of a large view do not keep its text', async t => {
  const replica = await MemoryReplica.start(t);
  const of = service({ container: { command: ['x'.repeat(40_000)] } });
  const large = Array.from({ length: 20 }, (_, slot) => task(of, 'n1', { slot, id: taskId(`t${String.fromCharCode(98 + slot)}`) }));
  await replica.store.transact([], [{ kind: 'put', key: buildKey({ kind: 'service', id: of.id }), value: encodeService(of) }, ...large.map(one => ({ kind: 'put', key: buildKey({ kind: 'task', id: one.id }), value: encodeTask(one) }) as const)]);
  await settle();
  const api = createViewApi({ store: replica.store, state: replica.state, clock: replica.clock, sessions: new SessionTable(), version: '0', clusterId: 'c', signal: replica.signal });
  const heldBytes = async (): Promise<number> => { await collect(); return process.memoryUsage().heapUsed; };
  const before = await heldBytes();
  const watchers = Array.from({ length: 100 }, () => api.watch({}, OPERATOR, replica.signal)[Symbol.asyncIterator]());
  for (const watcher of watchers) t.false((await watcher.next()).done);
  for (const watcher of watchers) void watcher.next().catch(() => { /* over with the test */ });
  const heldMiB = (await heldBytes() - before) / 2 ** 20;
  t.true(heldMiB < 10, `${heldMiB.toFixed(1)} MiB`);
});

test('a view of something by name goes before one of the whole cluster, whoever asked first', async t => {
  const replica = await MemoryReplica.start(t);
  const api = createViewApi({ store: replica.store, state: replica.state, clock: replica.clock, sessions: new SessionTable(), version: '0', clusterId: 'c', signal: replica.signal });
  const told: string[] = [];
  const follow = async (name: string, filter: ListFilter): Promise<void> => {
    for await (const _ of api.watch(filter, OPERATOR, replica.signal)) told.push(name);
  };
  for (const following of [follow('whole', {}), follow('node', { node: parseNodeId('n1') })]) following.catch(() => { /* over with the test */ });
  await settle();
  told.length = 0;
  await replica.put({ kind: 'node', id: parseNodeId('n1') }, encodeNode(node('n1')));
  t.deepEqual(told, ['node', 'whole']);
});

test('a watcher of records alone is told of a node, not of what runs; its view is whole all the same', async t => {
  const replica = await MemoryReplica.start(t);
  const api = createViewApi({ store: replica.store, state: replica.state, clock: replica.clock, sessions: new SessionTable(), version: '0', clusterId: 'c', signal: replica.signal });
  const views: ClusterView[] = [];
  (async () => {
    for await (const view of api.watch({ onlyRecords: true }, OPERATOR, replica.signal)) views.push(view);
  })().catch(() => { /* over with the test */ });
  const web = service();
  const made = task(web, 'n1');
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  t.is(views.length, 2);
  await replica.put({ kind: 'task', id: made.id }, encodeTask(made));
  await replica.put({ kind: 'status', id: made.id }, encodeTaskStatus(status(made)));
  t.is(views.length, 2);
  await replica.put({ kind: 'node', id: parseNodeId('n1') }, encodeNode(node('n1')));
  t.is(views.length, 3);
  t.deepEqual(views.at(-1)?.services.map(({ running }) => running), [1]);
});

test('a watcher is told a few changes at once, of many one view in 50 ms', async t => {
  const clock = new FakeClock();
  const store = new MemoryEtcd(clock).connect();
  const state = new ClusterWatch({ store, clock, logger: silentLogger, relistMs: 60_000, random: () => 0.5 });
  const over = new AbortController();
  const running = state.run(over.signal).catch((error: unknown) => error);
  const api = createViewApi({ store, state, clock, sessions: new SessionTable(), version: '0', clusterId: 'c', signal: over.signal });
  const seenMs: number[] = [];
  const watching = (async () => {
    for await (const _ of api.watch({}, { role: 'operator', name: 'ann', address: '127.0.0.1' }, over.signal)) seenMs.push(clock.monotonicMs());
  })().catch((error: unknown) => error);
  await clock.advance(1_000);
  t.is(seenMs.length, 1);
  for (let change = 1; change <= 30; change += 1) {
    const added = node(`n${String(change)}`);
    await store.transact([], [{ kind: 'put', key: buildKey({ kind: 'node', id: added.id }), value: encodeNode(added) }]);
    await clock.advance(10);
  }
  await clock.advance(1_000);
  t.deepEqual(seenMs.slice(1, 5), [1_000, 1_010, 1_020, 1_030]);
  t.true(seenMs.length <= 1 + 4 + 300 / 50, String(seenMs.length));
  over.abort(new Error('over'));
  await Promise.all([running, watching]);
});
