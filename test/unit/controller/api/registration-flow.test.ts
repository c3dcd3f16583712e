import test from 'ava';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import { parseNodeId } from '#model/ids.ts';
import type { Peer } from '#model/ports.ts';
import type { Registration } from '#model/session.ts';
import { registerNode } from '../../../../controller/api/registration-flow.ts';
import { T0 } from '../../../support/builders.ts';
import { MemoryReplica } from '../../../support/memory-replica.ts';

function registration(name: string, change: Partial<Registration> = {}): Registration {
  return {
    kind: 'register', node: parseNodeId(name), agentVersion: '1', bootId: 'b', address: '10.161.0.10', capacity: { milliCpu: 4_000, memoryBytes: 2 ** 30 }, pids: 100,
    labels: new Map([['zone', 'a']]), policy: CLOSED_NODE_POLICY, runtimes: ['crun'], architecture: 'amd64', metricsAddress: '', snapshotter: 'overlay', cpus: '0-3', statuses: [], previousNonce: '', nextNonce: 'x', knownRevision: 0, ...change,
  };
}
const peer = (name: string): Peer => ({ role: 'node', name, address: '10.161.0.10', certifiedAtMs: T0 });
const register = async (replica: MemoryReplica, name: string, change: Partial<Registration> = {}, sessionId = 's'): ReturnType<typeof registerNode> =>
  await registerNode(registration(name, change), { peer: peer(name), sessionId }, { store: replica.store, state: replica.state, clock: replica.clock, controllerId: 'c1' }, replica.signal);

test('a new node has its record, a session, a ledger and the labels that the cluster gives', async t => {
  const replica = await MemoryReplica.start(t);
  t.like(await register(replica, 'n1'), { kind: 'registered', subnetIndex: 0 });
  const node = replica.state.current.nodes.get(parseNodeId('n1'))?.value;
  t.deepEqual([...node?.labels ?? []].toSorted(), [['arch', 'amd64'], ['node', 'n1'], ['os', 'linux'], ['zone', 'a']]);
  t.deepEqual(['nodes/', 'sessions/', 'ledgers/'].map(folder => replica.keys(folder).length), [1, 1, 1]);
});

test('again, it keeps its subnet; the session record is a new one', async t => {
  const replica = await MemoryReplica.start(t);
  const first = await register(replica, 'n1');
  await register(replica, 'n2');
  const second = await register(replica, 'n1', { previousNonce: 'x', nextNonce: 'y', address: '10.161.0.99' }, 's2');
  t.like(second, { kind: 'registered', subnetIndex: 0 });
  t.true(first.kind === 'registered' && second.kind === 'registered' && second.recordRevision > first.recordRevision);
  t.is(replica.state.current.nodes.get(parseNodeId('n1'))?.value.address, '10.161.0.99');
});

test('nodes that register at once, at two controllers, have subnets of their own', async t => {
  const one = await MemoryReplica.start(t);
  const two = await MemoryReplica.start(t, one);
  const outcomes = await Promise.all(['a', 'b', 'c', 'd'].map(async (name, index) => await register(index % 2 === 0 ? one : two, name)));
  t.deepEqual(outcomes.map(outcome => (outcome.kind === 'registered' ? outcome.subnetIndex : -1)).toSorted(), [0, 1, 2, 3]);
});

test('an instance that does not know the nonce on record is refused and changes nothing', async t => {
  const replica = await MemoryReplica.start(t);
  await register(replica, 'n1');
  const before = replica.etcd.etcdRevision;
  t.like(await register(replica, 'n1', { previousNonce: 'other', nextNonce: 'z' }), { kind: 'refused', code: 'PERMISSION_DENIED' });
  t.is(replica.etcd.etcdRevision, before);
});

for (const lost of ['swallowAnswers', 'swallowWrites'] as const) {
  test(`B15: a registration whose answer is unclear (${lost}) lands once and has its session`, async t => {
    const replica = await MemoryReplica.start(t);
    await register(replica, 'n0');
    replica.store[lost] = 1;
    const outcome = await register(replica, 'n1', {}, 'mine');
    t.like(outcome, { kind: 'registered', subnetIndex: 1 });
    const session = replica.state.current.sessions.get(parseNodeId('n1'));
    t.is(session?.value.sessionId, 'mine');
    t.is(session?.modRevision, outcome.kind === 'registered' ? outcome.recordRevision : 0);
    t.is(replica.keys('nodes/').length, 2);
  });
}

test('B12: a node that was told of more than etcd has is sent away, by name of what to do; nothing is written', async t => {
  const replica = await MemoryReplica.start(t);
  await register(replica, 'n1');
  const before = replica.etcd.etcdRevision;
  const outcome = await register(replica, 'n1', { previousNonce: 'x', nextNonce: 'y', knownRevision: before + 1 });
  t.is(outcome.kind, 'older-store');
  t.regex(outcome.kind === 'older-store' ? outcome.message : '', /the store went back: node n1 was told of revision \d+, etcd is at \d+.*--bump-revision/);
  t.is(replica.etcd.etcdRevision, before);
  t.like(await register(replica, 'n1', { previousNonce: 'x', nextNonce: 'y', knownRevision: before }), { kind: 'registered', isStoreOlder: false });
});

test('B12: a node that registered after the backup is taken back, and that is told', async t => {
  const replica = await MemoryReplica.start(t);
  await register(replica, 'n1');
  await register(replica, 'n2');
  t.like(await register(replica, 'n1', { previousNonce: 'later', nextNonce: 'y', knownRevision: replica.etcd.etcdRevision }), { kind: 'registered', isStoreOlder: true });
});
