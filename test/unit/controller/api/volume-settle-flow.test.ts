import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { settleVolumes } from '../../../../controller/api/volume-settle-flow.ts';
import { buildKey, volumeKey } from '../../../../controller/store/keys.ts';
import { encodeVolume } from '../../../../controller/store/records.ts';
import { volume } from '../../../support/builders.ts';
import { MemoryReplica } from '../../../support/memory-replica.ts';

const N1 = parseNodeId('n1');
const [leaving, kept, elsewhere] = [volume('n1', { state: 'removing' }), volume('n1', { name: 'kept' }), volume('n2', { state: 'removing' })];
const SESSION = buildKey({ kind: 'session', id: N1 });

async function start(t: ExecutionContext): Promise<{ readonly replica: MemoryReplica; readonly sessionRevision: number }> {
  const replica = await MemoryReplica.start(t);
  for (const one of [leaving, kept, elsewhere]) await replica.put(volumeKey(one), encodeVolume(one));
  const { etcdRevision } = await replica.store.transact([], [{ kind: 'put', key: SESSION, value: Uint8Array.of() }]);
  return { replica, sessionRevision: etcdRevision };
}
const states = (replica: MemoryReplica): readonly string[] => [...replica.state.current.volumes.values()].map(({ value }) => value.state);

test('what a node says that it has deleted is removed, if it was asked for and is that node\'s', async t => {
  const { replica, sessionRevision } = await start(t);
  t.true(await settleVolumes({ node: N1, sessionRevision, names: ['default/data', 'default/kept', 'default/none', '../x'] }, replica, replica.signal));
  t.deepEqual(states(replica).toSorted(), ['present', 'removed', 'removing']);
  const before = replica.etcd.etcdRevision;
  t.true(await settleVolumes({ node: N1, sessionRevision, names: ['default/data'] }, replica, replica.signal));
  t.is(replica.etcd.etcdRevision, before, 'said again, nothing more is written');
});
test('a session that was followed by another writes nothing', async t => {
  const { replica, sessionRevision } = await start(t);
  await replica.store.transact([], [{ kind: 'put', key: SESSION, value: Uint8Array.of(1) }]);
  t.false(await settleVolumes({ node: N1, sessionRevision, names: ['default/data'] }, replica, replica.signal));
  t.is(states(replica).filter(state => state === 'removed').length, 0);
});
