import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { TEST_TIMES } from '#model/times.ts';
import { SessionLivenessLoop } from '../../../../controller/api/session-liveness-loop.ts';
import { encodeNode, encodeSessionRecord } from '../../../../controller/store/records.ts';
import { node, T0 } from '../../../support/builders.ts';
import { MemoryReplica } from '../../../support/memory-replica.ts';
import type { MemoryStore } from '../../../support/memory-store.ts';

const N1 = parseNodeId('n1');

async function start(t: ExecutionContext, { isOpened = true } = {}): Promise<{ readonly replica: MemoryReplica; readonly loop: SessionLivenessLoop; readonly lease: { renewedMs: number }; readonly condition: () => string | undefined; readonly hold: (controllerId: string, store?: MemoryStore) => Promise<void> }> {
  const replica = await MemoryReplica.start(t);
  const lease = { renewedMs: Infinity };
  const { store, state, events, clock, log } = replica;
  const loop = new SessionLivenessLoop({ store, state, events, clock, log, times: TEST_TIMES, controllerId: 'c1', lastRenewedMonotonicMs: () => lease.renewedMs });
  loop.run(replica.signal).catch(() => undefined);
  const hold = async (controllerId: string, store = replica.store): Promise<void> => {
    await replica.put({ kind: 'session', id: N1 }, encodeSessionRecord({ node: N1, sessionId: 's', controllerId, openedAtMs: T0, instanceNonce: 'x' }), store);
  };
  await hold('c1');
  await replica.put({ kind: 'node', id: N1 }, encodeNode(node('n1')));
  if (isOpened) loop.opened(N1);
  return { replica, loop, lease, hold, condition: () => state.current.nodes.get(N1)?.value.condition };
}

test('a node is silent after LOST without a heartbeat, and back with the next', async t => {
  const { replica, loop, condition } = await start(t);
  await replica.clock.advance(TEST_TIMES.lostMs - TEST_TIMES.heartbeatMs);
  t.is(condition(), 'ready');
  await replica.clock.advance(2 * TEST_TIMES.heartbeatMs);
  t.is(condition(), 'silent');
  t.true(loop.heard(N1, { seq: 1, ackEcho: 0 }));
  await replica.clock.advance(TEST_TIMES.heartbeatMs);
  t.is(condition(), 'ready');
  t.deepEqual(replica.told.map(event => event.reason), ['NodeSilent', 'NodeBack']);
});

test('a replica that starts again counts the silence of the sessions that it held before', async t => {
  const { replica, condition } = await start(t, { isOpened: false });
  await replica.clock.advance(TEST_TIMES.lostMs - TEST_TIMES.heartbeatMs);
  t.is(condition(), 'ready');
  await replica.clock.advance(2 * TEST_TIMES.heartbeatMs);
  t.is(condition(), 'silent');
});

test('heartbeats that never echo an acknowledgement are silence: the way back is cut', async t => {
  const { replica, loop, condition } = await start(t);
  for (let seq = 1; seq * TEST_TIMES.heartbeatMs < TEST_TIMES.lostMs + 3 * TEST_TIMES.heartbeatMs; seq += 1) {
    loop.heard(N1, { seq, ackEcho: 0 });
    await replica.clock.advance(TEST_TIMES.heartbeatMs);
  }
  t.is(condition(), 'silent');
});

test('our own stall proves nothing about a node', async t => {
  const { replica, condition } = await start(t);
  replica.clock.stall(10 * TEST_TIMES.lostMs);
  await replica.clock.advance(TEST_TIMES.heartbeatMs);
  t.is(condition(), 'ready');
});

test('a replica that stalls again and again finds the silence of a node', async t => {
  const { replica, condition } = await start(t);
  for (let countedMs = 0; countedMs < 2 * TEST_TIMES.lostMs; countedMs += 2 * TEST_TIMES.heartbeatMs) {
    await replica.clock.advance(2 * TEST_TIMES.heartbeatMs);
    replica.clock.stall(3 * TEST_TIMES.stallMs);
  }
  await replica.clock.advance(TEST_TIMES.heartbeatMs);
  t.is(condition(), 'silent');
});

test('a heartbeat that comes right after a stall is no judgement of what came before it', async t => {
  const { replica, loop, condition } = await start(t);
  loop.heard(N1, { seq: 5, ackEcho: 0 });
  await replica.clock.advance(TEST_TIMES.lostMs / 2);
  replica.clock.stall(TEST_TIMES.lostMs);
  loop.heard(N1, { seq: 6, ackEcho: 0 });
  await replica.clock.advance(TEST_TIMES.heartbeatMs);
  t.is(condition(), 'ready');
});

test('a replica whose lease is not confirmed acknowledges nothing', async t => {
  const { loop, lease } = await start(t);
  lease.renewedMs = -TEST_TIMES.leaseMs;
  t.false(loop.heard(N1, { seq: 1, ackEcho: 0 }));
});

test('a node whose session another replica holds is not ours to judge', async t => {
  const { replica, hold, condition } = await start(t);
  await hold('c2');
  await replica.clock.advance(TEST_TIMES.lostMs + 2 * TEST_TIMES.heartbeatMs);
  t.is(condition(), 'ready');
});

test('while etcd is away the transition stays due', async t => {
  const { replica, condition } = await start(t);
  replica.store.cut();
  await replica.clock.advance(TEST_TIMES.lostMs + 2 * TEST_TIMES.heartbeatMs);
  t.is(condition(), 'ready');
  replica.store.heal();
  await replica.clock.advance(5 * TEST_TIMES.heartbeatMs);
  t.is(condition(), 'silent');
});

/** Keeps back what etcd does or answers to each write until `release`. */
function holdWrites(store: MemoryStore, what: 'the write' | 'its answer'): { readonly release: () => void } {
  const gate = Promise.withResolvers<undefined>();
  const transact = store.transact.bind(store);
  store.transact = async (...args) => {
    if (what === 'the write') await gate.promise;
    const outcome = await transact(...args);
    await gate.promise;
    return outcome;
  };
  return { release: () => { gate.resolve(undefined); } };
}

test('a heartbeat that comes while the silence is being written makes the node ready again', async t => {
  const { replica, loop, condition } = await start(t);
  const { release } = holdWrites(replica.store, 'its answer');
  await replica.clock.advance(TEST_TIMES.lostMs + TEST_TIMES.heartbeatMs);
  t.is(condition(), 'silent');
  t.true(loop.heard(N1, { seq: 1, ackEcho: 0 }));
  release();
  await replica.clock.advance(2 * TEST_TIMES.heartbeatMs);
  t.is(condition(), 'ready');
});

test('a registration that comes before the silence is written is what counts', async t => {
  const { replica, loop, condition, hold } = await start(t);
  const beside = replica.etcd.connect();
  const { release } = holdWrites(replica.store, 'the write');
  await replica.clock.advance(TEST_TIMES.lostMs + TEST_TIMES.heartbeatMs);
  await hold('c1', beside);
  await replica.put({ kind: 'node', id: N1 }, encodeNode(node('n1')), beside);
  loop.opened(N1);
  release();
  await replica.clock.advance(2 * TEST_TIMES.heartbeatMs);
  t.is(condition(), 'ready');
  t.deepEqual(replica.told, []);
});

test('silence that was written with its answer lost ends with the next heartbeat, also where the count began anew meanwhile', async t => {
  const { replica, loop, lease, condition } = await start(t);
  replica.store.swallowAnswers = 1;
  await replica.clock.advance(TEST_TIMES.lostMs);
  lease.renewedMs = -TEST_TIMES.leaseMs;
  await replica.clock.advance(TEST_TIMES.heartbeatMs);
  lease.renewedMs = Infinity;
  await replica.clock.advance(TEST_TIMES.heartbeatMs);
  t.is(condition(), 'silent');
  t.true(loop.heard(N1, { seq: 1, ackEcho: 0 }));
  await replica.clock.advance(TEST_TIMES.heartbeatMs);
  t.is(condition(), 'ready');
});

test('a node that is heard while the silence of another is being written is not called silent', async t => {
  const { replica, loop, condition } = await start(t);
  const n2 = parseNodeId('n2');
  await replica.put({ kind: 'session', id: n2 }, encodeSessionRecord({ node: n2, sessionId: 's', controllerId: 'c1', openedAtMs: T0, instanceNonce: 'x' }));
  await replica.put({ kind: 'node', id: n2 }, encodeNode(node('n2')));
  loop.opened(n2);
  const { release } = holdWrites(replica.store, 'the write');
  await replica.clock.advance(TEST_TIMES.lostMs + TEST_TIMES.heartbeatMs);
  t.true(loop.heard(n2, { seq: 1, ackEcho: 0 }));
  release();
  await replica.clock.advance(TEST_TIMES.heartbeatMs / 10);
  t.is(condition(), 'silent');
  t.deepEqual(replica.told.map(event => [event.object, event.reason]), [['node/n1', 'NodeSilent']]);
});
