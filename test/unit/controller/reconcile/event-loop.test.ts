import test from 'ava';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { PlannedEvent } from '../../../../controller/reconcile/plan.ts';
import { EventLoop } from '../../../../controller/reconcile/event-loop.ts';
import { decodeClusterEvent } from '../../../../controller/store/records.ts';
import { node, snapshot } from '../../../support/builders.ts';
import { FakeClock, T0 } from '../../../support/fake-clock.ts';
import { MemoryEtcd } from '../../../support/memory-store.ts';
import type { MemoryStore } from '../../../support/memory-store.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

const event = (reason: string, message = ''): PlannedEvent => ({ type: 'normal', object: 'node/n1', reason, message });
const HOUR_MS = 3_600_000;

async function recording(body: (bench: { clock: FakeClock; etcd: MemoryEtcd; store: MemoryStore; loop: EventLoop; cluster: { current: ClusterSnapshot } }) => Promise<void>): Promise<void> {
  const clock = new FakeClock();
  const etcd = new MemoryEtcd(clock);
  const [store, abort] = [etcd.connect(), new AbortController()];
  const cluster = { current: snapshot() };
  const loop = new EventLoop({ store, cluster, clock, logger: silentLogger });
  const running = loop.run(abort.signal).catch((error: unknown) => error);
  await body({ clock, etcd, store, loop, cluster });
  abort.abort(new Error('over'));
  await running;
}

const stored = (etcd: MemoryEtcd) => etcd.range(['/gantry/v1/events/']).map(entry => decodeClusterEvent(entry.value));

test('events of one object and reason are one record with a count, its first time, its newest words and those before them', async t => {
  await recording(async ({ clock, etcd, loop }) => {
    loop.record([event('Seen', 'a'), event('Seen', 'b'), event('Other')]);
    await clock.advance(1_000);
    loop.record([event('Seen', 'c')]);
    await clock.advance(1_000);
    t.deepEqual(stored(etcd).map(one => [one.reason, one.count, one.message]), [['Other', 1, ''], ['Seen', 3, 'c']]);
    t.like(stored(etcd)[1], { firstAtMs: T0, lastAtMs: T0 + 1_000 });
    t.deepEqual(stored(etcd)[1]?.messages?.map(({ message, count }) => [message, count]), [['a', 1], ['b', 1], ['c', 1]]);
  });
});

test('two events of 600 KB are stored as some KiB, and those after them too', async t => {
  await recording(async ({ clock, etcd, loop }) => {
    loop.record([event('First', 'x'.repeat(600_000)), event('Second', 'x'.repeat(600_000))]);
    await clock.advance(1_000);
    loop.record([event('Third')]);
    await clock.advance(1_000);
    t.deepEqual(stored(etcd).map(({ reason, message }) => [reason, message.length]), [['First', 2_048], ['Second', 2_048], ['Third', 0]]);
  });
});

test('different words of a transaction of 60 events stay far below what etcd takes at once', async t => {
  await recording(async ({ clock, etcd, loop }) => {
    for (let word = 0; word < 9; word += 1) {
      loop.record(Array.from({ length: 60 }, (_, index) => event(`R${String(index)}`, `${String(word)}${'x'.repeat(5_000)}`)));
    }
    await clock.advance(1_000);
    t.is(stored(etcd).length, 60);
    t.true(etcd.range(['/gantry/v1/events/']).reduce((bytes, entry) => bytes + entry.value.length, 0) < 400_000);
  });
});

test('2 events recorded while etcd is away are written when it is back', async t => {
  await recording(async ({ clock, etcd, store, loop }) => {
    store.cut();
    loop.record([event('Seen')]);
    await clock.advance(5_000);
    t.is(stored(etcd).length, 0);
    store.heal();
    await clock.advance(1_000);
    t.is(stored(etcd)[0]?.count, 1);
  });
});

test('an event is gone an hour and a quarter after it was recorded last', async t => {
  await recording(async ({ clock, etcd, loop }) => {
    loop.record([event('Seen')]);
    await clock.advance(HOUR_MS);
    t.is(stored(etcd).length, 1);
    await clock.advance(HOUR_MS / 4 + 1_000);
    t.is(stored(etcd).length, 0);
  });
});

test('1 an event about something that has no key is dropped alone', async t => {
  await recording(async ({ clock, etcd, loop }) => {
    loop.record([{ ...event('Seen'), object: '../leader' }, event('Other')]);
    await clock.advance(1_000);
    t.deepEqual(stored(etcd).map(one => one.reason), ['Other']);
  });
});

test('1 more events than may wait are dropped', async t => {
  await recording(async ({ clock, etcd, store, loop }) => {
    store.cut();
    for (let index = 0; index < 3_000; index += 1) {
      loop.record([event(`R${String(index)}`)]);
    }
    store.heal();
    await clock.advance(5_000);
    t.is(stored(etcd).length, 2_000);
  });
});

test('3 two controllers that count one event at once lose none', async t => {
  await recording(async ({ clock, etcd, loop }) => {
    const abort = new AbortController();
    const other = new EventLoop({ store: etcd.connect(), cluster: { current: snapshot() }, clock, logger: silentLogger });
    const running = other.run(abort.signal).catch((error: unknown) => error);
    for (const recorder of [loop, other, loop, other]) {
      recorder.record([event('Seen'), event('Other')]);
    }
    await clock.advance(1_000);
    t.deepEqual(stored(etcd).map(one => [one.reason, one.count]), [['Other', 4], ['Seen', 4]]);
    abort.abort(new Error('over'));
    await running;
  });
});

test('a node that has the name of a removed one begins with a count of its own', async t => {
  await recording(async ({ clock, etcd, loop, cluster }) => {
    const n1 = node('n1');
    const joinedAt = (createRevision: number): void => { cluster.current = { ...snapshot(), nodes: new Map([[n1.id, { value: n1, createRevision, modRevision: createRevision }]]) }; };
    const record = async (message: string): Promise<void> => { loop.record([event('Seen', message)]); await clock.advance(1_000); };
    joinedAt(1);
    await record('a');
    await record('b');
    t.deepEqual(stored(etcd).map(one => one.count), [2]);
    joinedAt((etcd.range(['/gantry/v1/events/'])[0]?.modRevision ?? 0) + 1);
    await record('c');
    t.deepEqual(stored(etcd).map(({ count, message, messages }) => [count, message, messages]), [[1, 'c', undefined]]);
    t.is(stored(etcd)[0]?.firstAtMs, T0 + 2_000);
  });
});

test('an event that never was costs no read', async t => {
  await recording(async ({ clock, store, loop }) => {
    const get = store.get.bind(store);
    let reads = 0;
    store.get = async (...given) => { reads += 1; return await get(...given); };
    loop.record([event('Seen'), event('Other')]);
    await clock.advance(1_000);
    t.is(reads, 0);
  });
});

test('an event that cannot be read any more is replaced', async t => {
  await recording(async ({ clock, etcd, store, loop }) => {
    await store.transact([], [{ kind: 'put', key: '/gantry/v1/events/node/n1/Seen', value: Buffer.from('damaged') }]);
    loop.record([event('Seen')]);
    await clock.advance(1_000);
    t.deepEqual(stored(etcd).map(one => one.count), [1]);
  });
});
