import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseNodeId } from '#model/ids.ts';
import type { NodeHealth } from '#model/session.ts';
import { writeHealth } from '../../../../controller/api/node-health-flow.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import { encodeNode } from '../../../../controller/store/records.ts';
import { node } from '../../../support/builders.ts';
import { MemoryReplica } from '../../../support/memory-replica.ts';

const N1 = parseNodeId('n1');
const SESSION = buildKey({ kind: 'session', id: N1 });

interface Rig {
  readonly replica: MemoryReplica;
  readonly write: (health: NodeHealth | undefined) => Promise<boolean>;
  readonly hasDeadman: () => boolean | undefined;
}

async function start(t: ExecutionContext): Promise<Rig> {
  const replica = await MemoryReplica.start(t);
  await replica.put({ kind: 'node', id: N1 }, encodeNode(node('n1', { hasDeadman: false })));
  const { etcdRevision } = await replica.store.transact([], [{ kind: 'put', key: SESSION, value: Uint8Array.of() }]);
  return {
    replica,
    write: async health => await writeHealth({ node: N1, sessionRevision: etcdRevision, health }, replica.parts, replica.signal),
    hasDeadman: () => replica.state.current.nodes.get(N1)?.value.hasDeadman,
  };
}

test('the record of a node gets the health that its heartbeat says, and is written once', async t => {
  const { replica, write, hasDeadman } = await start(t);
  t.true(await write({ hasDeadman: true }));
  t.true(hasDeadman());
  const before = replica.etcd.etcdRevision;
  t.true(await write({ hasDeadman: true }));
  t.is(replica.etcd.etcdRevision, before);
  t.true(await write({ hasDeadman: false }));
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
  t.false(await write({ hasDeadman: true }));
  t.false(hasDeadman());
});
