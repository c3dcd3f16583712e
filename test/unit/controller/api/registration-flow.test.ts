import test from 'ava';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import { parseNodeId } from '#model/ids.ts';
import type { Peer } from '#model/ports.ts';
import type { Registration } from '#model/session.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { FirstRegistrations } from '../../../../controller/api/first-registration-flow.ts';
import { registerNode } from '../../../../controller/api/registration-flow.ts';
import type { RegistrationParts } from '../../../../controller/api/registration-flow.ts';
import { fullAssignment } from '../../../../controller/api/assignment-set.ts';
import { removeOperations } from '../../../../controller/api/node-api.ts';
import { endpointSet } from '../../../../controller/endpoints/endpoint-set.ts';
import { planService } from '../../../../controller/reconcile/service-plan.ts';
import { planVolumes } from '../../../../controller/reconcile/volume-plan.ts';
import { volumeHomes } from '../../../../controller/schedule/volume-homes.ts';
import { buildKey, volumeKey } from '../../../../controller/store/keys.ts';
import { encodeApp, encodeClusterSettings, encodeControllerRecord, encodeService, encodeStatusRecord, encodeTask, encodeVolume } from '../../../../controller/store/records.ts';
import { app, service, status, T0, task, volume } from '../../../support/builders.ts';
import { MemoryReplica } from '../../../support/memory-replica.ts';

function registration(name: string, change: Partial<Registration> = {}): Registration {
  return {
    kind: 'register', node: parseNodeId(name), agentVersion: '1', bootId: 'b', address: '10.161.0.10', capacity: { milliCpu: 4_000, memoryBytes: 2 ** 30 }, pids: 100,
    labels: new Map([['zone', 'a']]), policy: CLOSED_NODE_POLICY, runtimes: ['crun'], architecture: 'amd64', metricsAddress: '', snapshotter: 'overlay', hasDeadman: true, networkFault: '', listeningPorts: [], capabilities: [], cpus: '0-3', takesEndpointChanges: true, statuses: [], previousNonce: '', nextNonce: 'x', knownRevision: 0, clusterId: '', ...change,
  };
}
const peer = (name: string): Peer => ({ role: 'node', name, address: '10.161.0.10', certifiedAtMs: T0 });
const known = new Map<MemoryReplica, RegistrationParts>();
/** As a replica has them: one queue of first registrations for all. */
function partsOf(replica: MemoryReplica): RegistrationParts {
  const { store, state, clock, signal } = replica;
  const shared = { store, state, clock, controllerId: 'c1' };
  const parts = known.get(replica) ?? { ...shared, firstRegistrations: new FirstRegistrations(shared, signal) };
  known.set(replica, parts);
  return parts;
}
const register = async (replica: MemoryReplica, name: string, change: Partial<Registration> = {}, sessionId = 's'): ReturnType<typeof registerNode> =>
  await registerNode(registration(name, change), { peer: peer(name), sessionId }, partsOf(replica), replica.signal);

test('a new node has its record, a session, a ledger and the labels that the cluster gives', async t => {
  const replica = await MemoryReplica.start(t);
  t.like(await register(replica, 'n1'), { kind: 'registered', subnetIndex: 0 });
  const node = replica.state.current.nodes.get(parseNodeId('n1'))?.value;
  t.deepEqual([...node?.labels ?? []].toSorted(), [['arch', 'amd64'], ['node', 'n1'], ['os', 'linux'], ['zone', 'a']]);
  t.deepEqual(['nodes/', 'sessions/', 'ledgers/'].map(folder => replica.keys(folder).length), [1, 1, 1]);
});

test('a registration whose records would be too large is refused at the door, and nothing is written', async t => {
  const replica = await MemoryReplica.start(t);
  const long = 'x'.repeat(70_000);
  for (const change of [
    { labels: new Map([['zone', long]]) }, { labels: new Map(Array.from({ length: 5_000 }, (_, index) => [`label-${String(index)}`, 'value'])) },
    { agentVersion: long }, { runtimes: [long] }, { metricsAddress: long }, { cpus: long }, { nextNonce: long },
    { policy: { ...CLOSED_NODE_POLICY, bindPrefixes: [long] } },
  ]) {
    const error = await t.throwsAsync(register(replica, 'n1', change));
    t.like(error, { code: 'INVALID_ARGUMENT' });
    t.regex(error.message, /^node n1: its registration makes records of \d+ bytes, at most 65536 are stored; shorten its labels, its devices or the paths that tasks may bind$/);
  }
  t.deepEqual(replica.keys('nodes/'), []);
  t.like(await register(replica, 'n1'), { kind: 'registered' });
  t.like(await t.throwsAsync(register(replica, 'n1', { agentVersion: long })), { code: 'INVALID_ARGUMENT' });
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

test('again, what a newer controller wrote into its record stays there', async t => {
  const replica = await MemoryReplica.start(t);
  await register(replica, 'n1');
  const key = { kind: 'node', id: parseNodeId('n1') } as const;
  const bytesNow = (): Buffer => Buffer.from(replica.etcd.read(buildKey(key))?.value ?? []);
  // Field 5000, which this version does not have, as a varint.
  const unknown = Buffer.from([0xc0, 0xb8, 0x02, 42]);
  await replica.put(key, Buffer.concat([bytesNow(), unknown]));
  t.like(await register(replica, 'n1', { previousNonce: 'x', address: '10.161.0.99' }), { kind: 'registered' });
  t.is(replica.state.current.nodes.get(key.id)?.value.address, '10.161.0.99');
  t.true(bytesNow().includes(unknown));
});

test('a machine that joins under the name of a removed node at once gets no task, no volume and no request of that node', async t => {
  const replica = await MemoryReplica.start(t);
  await register(replica, 'n1');
  const db = service({ kind: 'stateful', replicas: 1, volumes: [{ name: 'data', perReplica: false }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] } });
  const old = task(db, 'n1', { fence: replica.state.current.etcdRevision });
  const data = volume('n1', { fence: old.fence });
  await replica.put({ kind: 'app', id: app().id }, encodeApp(app()));
  await replica.put({ kind: 'service', id: db.id }, encodeService(db));
  await replica.put({ kind: 'task', id: old.id }, encodeTask(old));
  await replica.put({ kind: 'status', id: old.id }, encodeStatusRecord(status(old)));
  await replica.put(volumeKey(data), encodeVolume(data));
  const seen = (): unknown => {
    const { current } = replica.state;
    const full = fullAssignment(current, { node: old.node, takesKeptTasks: true }, new Set())?.assignment;
    return [
      full?.kind === 'full' ? full.tasks.map(({ id }) => id) : undefined, endpointSet(current).services.flatMap(({ endpoints }) => endpoints.map(one => one.task)),
      [...volumeHomes(current, db).keys()], planVolumes(current, T0).actions.map(({ kind }) => kind),
      planService(current, db.id, { nowMs: T0, clusterId: 'c', times: DEFAULT_TIMES, awayForMs: () => 0, revisionOf: () => undefined }).actions.map(action => [action.kind, ...('reason' in action ? [action.reason] : [])].join(' ')),
    ];
  };
  await replica.put({ kind: 'leader' }, encodeControllerRecord({ id: 'c1', apiAddress: '', metricsAddress: '', startedAtMs: T0 }));
  t.deepEqual(seen(), [[old.id], [old.id], ['default/data'], [], ['set-service-status']]);
  await replica.store.transact([], removeOperations({ node: old.node, removedAtMs: T0 - 1 }));
  await register(replica, 'n1');
  t.deepEqual(seen(), [[], [], [], ['remove-volume'], ['remove-task node-removed', 'create-task node-removed', 'set-service-status']]);
  t.is(replica.state.current.tasks.get(old.id)?.value.node, parseNodeId('n1'), 'nobody has cleaned up yet');
});

test('again as it was, it has a new session record, and its own record stays as it is', async t => {
  const replica = await MemoryReplica.start(t);
  await register(replica, 'n1');
  const before = replica.state.current.nodes.get(parseNodeId('n1'))?.modRevision;
  const session = replica.state.current.sessions.get(parseNodeId('n1'))?.modRevision;
  t.like(await register(replica, 'n1', { previousNonce: 'x', nextNonce: 'y' }, 's2'), { kind: 'registered' });
  t.is(replica.state.current.nodes.get(parseNodeId('n1'))?.modRevision, before);
  t.not(replica.state.current.sessions.get(parseNodeId('n1'))?.modRevision, session);
});

test('nodes that register at once, at two controllers, have subnets of their own', async t => {
  const one = await MemoryReplica.start(t);
  const two = await MemoryReplica.start(t, one);
  const outcomes = await Promise.all(['a', 'b', 'c', 'd'].map(async (name, index) => await register(index % 2 === 0 ? one : two, name)));
  t.deepEqual(outcomes.map(outcome => (outcome.kind === 'registered' ? outcome.subnetIndex : -1)).toSorted(), [0, 1, 2, 3]);
});

test('a crowd that registers at once shares transactions, at two controllers too', async t => {
  const one = await MemoryReplica.start(t);
  const two = await MemoryReplica.start(t, one);
  const before = one.etcd.etcdRevision;
  const names = Array.from({ length: 200 }, (_, index) => `n${String(index)}`);
  const outcomes = await Promise.all(names.map(async (name, index) => await register(index % 2 === 0 ? one : two, name, {}, `s${name}`)));
  t.deepEqual(outcomes.map(outcome => (outcome.kind === 'registered' ? outcome.subnetIndex : -1)).toSorted((left, right) => left - right), names.map((_, index) => index));
  const sessions = one.state.current.sessions;
  t.deepEqual(names.filter(name => sessions.get(parseNodeId(name))?.value.sessionId !== `s${name}`), []);
  const written = one.etcd.etcdRevision - before;
  t.true(written >= 7 && written <= 20, `${String(written)} transactions`);
});

test('a registration that is too large for a transaction keeps no other one from its own', async t => {
  const replica = await MemoryReplica.start(t);
  // Past the door, which refuses it before.
  const past = partsOf(replica).firstRegistrations.write({ registration: registration('n1', { labels: new Map([['big', 'x'.repeat(2 ** 20)]]) }), sessionId: 's' }, replica.signal);
  const outcomes = await Promise.allSettled([register(replica, 'n0'), past, register(replica, 'n2'), register(replica, 'n3')]);
  t.deepEqual(outcomes.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
});

test('two agents with one name are written one after the other; the second is refused', async t => {
  const replica = await MemoryReplica.start(t);
  const outcomes = await Promise.all([register(replica, 'n1', { nextNonce: 'x' }, 'first'), register(replica, 'n1', { nextNonce: 'y' }, 'second')]);
  t.deepEqual(outcomes.map(({ kind }) => kind), ['registered', 'refused']);
  t.is(replica.state.current.sessions.get(parseNodeId('n1'))?.value.sessionId, 'first');
});

test('a session that ended while it waited for its turn is not written, those beside it are', async t => {
  const replica = await MemoryReplica.start(t);
  const over = new AbortController();
  const first = register(replica, 'n1');
  const gone = registerNode(registration('n2'), { peer: peer('n2'), sessionId: 's' }, partsOf(replica), over.signal);
  over.abort(new Error('the stream ended'));
  const last = register(replica, 'n3');
  await t.throwsAsync(gone, { message: 'the stream ended' });
  t.deepEqual((await Promise.all([first, last])).map(({ kind }) => kind), ['registered', 'registered']);
  t.false(replica.state.current.nodes.has(parseNodeId('n2')));
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
  t.like(outcome, { kind: 'wrong-store', reason: 'StoreWentBack' });
  t.regex(messageOf(outcome), /the store went back: node n1 was told of revision \d+, etcd is at \d+.*--bump-revision/);
  t.is(replica.etcd.etcdRevision, before);
  t.like(await register(replica, 'n1', { previousNonce: 'x', nextNonce: 'y', knownRevision: before }), { kind: 'registered', isStoreOlder: false });
});

test('B12: a node that registered after the backup is taken back, and that is told', async t => {
  const replica = await MemoryReplica.start(t);
  await register(replica, 'n1');
  await register(replica, 'n2');
  t.like(await register(replica, 'n1', { previousNonce: 'later', nextNonce: 'y', knownRevision: replica.etcd.etcdRevision }), { kind: 'registered', isStoreOlder: true });
});

test('B13: a node of another cluster that this store does not know is sent away, whatever the revisions; joined anew it is taken', async t => {
  const replica = await MemoryReplica.start(t);
  const settings = (clusterId: string): void => {
    replica.etcd.commit([], [{ kind: 'put', key: buildKey({ kind: 'settings' }), value: encodeClusterSettings({ clusterId, defaultRegistry: '', createdAtMs: T0 }) }]);
  };
  settings('new');
  const outcome = await register(replica, 'n1', { clusterId: 'own' });
  t.like(outcome, { kind: 'wrong-store', reason: 'StoreIsAnother' });
  t.regex(messageOf(outcome), /this store is of cluster new and does not know it; its tasks run on as they are/);
  t.is(replica.keys('nodes/').length, 0);
  t.like(await register(replica, 'n1', { clusterId: '' }), { kind: 'registered' });
  settings('own');
  t.like(await register(replica, 'n2', { clusterId: 'own' }), { kind: 'registered' });
});

function messageOf(outcome: Awaited<ReturnType<typeof registerNode>>): string {
  return outcome.kind === 'registered' ? '' : outcome.message;
}
