import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseNodeId } from '#model/ids.ts';
import type { NodeHealth } from '#model/session.ts';
import { writeHealth } from '../../../../controller/api/node-health-flow.ts';
import type { PlannedEvent } from '../../../../controller/reconcile/plan.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import { encodeNode } from '../../../../controller/store/records.ts';
import { node } from '../../../support/builders.ts';
import { MemoryReplica } from '../../../support/memory-replica.ts';

const N1 = parseNodeId('n1');
const WELL: NodeHealth = { hasDeadman: true, networkFault: '', listeningPorts: [] };
const SESSION = buildKey({ kind: 'session', id: N1 });

interface Rig {
  readonly replica: MemoryReplica;
  readonly write: (health: NodeHealth | undefined) => Promise<boolean>;
  readonly hasDeadman: () => boolean | undefined;
  readonly fault: () => string | undefined;
  readonly events: PlannedEvent[];
}

async function start(t: ExecutionContext): Promise<Rig> {
  const replica = await MemoryReplica.start(t);
  const events: PlannedEvent[] = [];
  await replica.put({ kind: 'node', id: N1 }, encodeNode(node('n1', { hasDeadman: false })));
  const { etcdRevision } = await replica.store.transact([], [{ kind: 'put', key: SESSION, value: Uint8Array.of() }]);
  return {
    replica,
    write: async health => await writeHealth({ node: N1, sessionRevision: etcdRevision, health }, { ...replica.parts, events: { record: planned => { events.push(...planned); } } }, replica.signal),
    events, fault: () => replica.state.current.nodes.get(N1)?.value.networkFault,
    hasDeadman: () => replica.state.current.nodes.get(N1)?.value.hasDeadman,
  };
}

test('the record of a node gets the health that its heartbeat says, and is written once', async t => {
  const { replica, write, hasDeadman } = await start(t);
  t.true(await write({ ...WELL, hasDeadman: true }));
  t.true(hasDeadman());
  const before = replica.etcd.etcdRevision;
  t.true(await write({ ...WELL, hasDeadman: true }));
  t.is(replica.etcd.etcdRevision, before);
  t.true(await write({ ...WELL, hasDeadman: false }));
  t.false(hasDeadman());
});

test('an older agent, which says nothing of its health, changes nothing', async t => {
  const { replica, write } = await start(t);
  const before = replica.etcd.etcdRevision;
  t.true(await write(undefined));
  t.is(replica.etcd.etcdRevision, before);
});

test('a session that was followed by another writes no health', async t => {
  const { replica, write, hasDeadman } = await start(t);
  await replica.store.transact([], [{ kind: 'put', key: SESSION, value: Uint8Array.of(1) }]);
  t.false(await write({ ...WELL, hasDeadman: true }));
  t.false(hasDeadman());
});

test('a fault of the network is on record with an event when it comes and when it goes, in a text of bounded size', async t => {
  const { replica, write, fault, events } = await start(t);
  t.true(await write({ ...WELL, networkFault: 'network: no vxlan' }));
  t.is(fault(), 'network: no vxlan');
  t.true(await write({ ...WELL, networkFault: 'network: no vxlan' }));
  t.true(await write(WELL));
  t.is(fault(), '');
  t.deepEqual(events.map(({ type, object, reason }) => [type, object, reason]), [['warning', 'node/n1', 'NetworkFault'], ['normal', 'node/n1', 'NetworkReady']]);
  t.regex(events[0]?.message ?? '', /network: no vxlan$/);
  await write({ ...WELL, networkFault: 'x'.repeat(100_000) });
  t.is(Buffer.byteLength(fault() ?? ''), 512);
  const before = replica.etcd.etcdRevision;
  await write({ ...WELL, networkFault: 'x'.repeat(100_000) });
  t.is(replica.etcd.etcdRevision, before);
});
