import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseNodeId } from '#model/ids.ts';
import type { VolumeUse } from '#model/volume.ts';
import { settleVolumes } from '../../../../controller/api/volume-settle-flow.ts';
import type { VolumeNews } from '../../../../controller/api/volume-settle-flow.ts';
import { buildKey, volumeKey } from '../../../../controller/store/keys.ts';
import { encodeStatusRecord, encodeTask, encodeVolume } from '../../../../controller/store/records.ts';
import { service, status, task, volume } from '../../../support/builders.ts';
import { MemoryReplica } from '../../../support/memory-replica.ts';

const N1 = parseNodeId('n1');
const [leaving, kept, elsewhere] = [volume('n1', { state: 'removing' }), volume('n1', { name: 'kept' }), volume('n2', { state: 'removing' })];
const SESSION = buildKey({ kind: 'session', id: N1 });

const told = (sessionRevision: number, removedVolumes: readonly string[], keptVolumes: readonly VolumeUse[] = []) => ({ node: N1, sessionRevision, removedVolumes, keptVolumes });
const settle = async (replica: MemoryReplica, news: VolumeNews): Promise<boolean> => await settleVolumes(news, replica.parts, replica.signal);

async function start(t: ExecutionContext): Promise<{ readonly replica: MemoryReplica; readonly sessionRevision: number }> {
  const replica = await MemoryReplica.start(t);
  for (const one of [leaving, kept, elsewhere]) await replica.put(volumeKey(one), encodeVolume(one));
  const { etcdRevision } = await replica.store.transact([], [{ kind: 'put', key: SESSION, value: Uint8Array.of() }]);
  return { replica, sessionRevision: etcdRevision };
}
const states = (replica: MemoryReplica): readonly string[] => [...replica.state.current.volumes.values()].map(({ value }) => value.state);

test('what a node says that it has deleted is removed, if it was asked for and is that node\'s', async t => {
  const { replica, sessionRevision } = await start(t);
  t.true(await settle(replica, told(sessionRevision, ['default/data', 'default/kept', 'default/none', '../x'])));
  t.deepEqual(states(replica).toSorted(), ['present', 'removed', 'removing']);
  const before = replica.etcd.etcdRevision;
  t.true(await settle(replica, told(sessionRevision, ['default/data'])));
  t.is(replica.etcd.etcdRevision, before, 'said again, nothing more is written');
});
test('a session that was followed by another writes nothing', async t => {
  const { replica, sessionRevision } = await start(t);
  await replica.store.transact([], [{ kind: 'put', key: SESSION, value: Uint8Array.of(1) }]);
  t.false(await settle(replica, told(sessionRevision, ['default/data'])));
  t.is(states(replica).filter(state => state === 'removed').length, 0);
});
test('what was said to be gone before its node knew of a task with the volume is not gone', async t => {
  const { replica, sessionRevision } = await start(t);
  const user = task(service({ volumes: [{ name: 'data', perReplica: false }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] } }), 'n1');
  await replica.put({ kind: 'task', id: user.id }, encodeTask(user));
  t.true(await settle(replica, told(sessionRevision, ['default/data'])));
  t.is(replica.state.current.volumes.get('default/data/n1')?.value.state, 'removing');
  await replica.put({ kind: 'status', id: user.id }, encodeStatusRecord(status(user, { phase: 'complete' })));
  t.true(await settle(replica, told(sessionRevision, ['default/data'])));
  t.is(replica.state.current.volumes.get('default/data/n1')?.value.state, 'removed');
});
test('data that is newer than its removal stays a volume like any other, and that is said', async t => {
  const { replica, sessionRevision } = await start(t);
  t.true(await settle(replica, told(sessionRevision, [], [{ name: 'default/data', fence: 1 }, { name: 'default/kept', fence: 2 }])));
  t.deepEqual(states(replica).toSorted(), ['present', 'removing', 'removing'], 'not what is as old, nor what is not being removed');
  t.true(await settle(replica, told(sessionRevision, [], [{ name: 'default/data', fence: 1e9 }])));
  t.is(replica.state.current.volumes.get('default/data/n1')?.value.state, 'removing', 'no task was made at such a revision');
  t.true(await settle(replica, told(sessionRevision, [], [{ name: 'default/data', fence: 2 }])));
  t.deepEqual(replica.state.current.volumes.get('default/data/n1')?.value, { ...leaving, state: 'present', fence: 2 });
  t.deepEqual(replica.told.map(({ object, reason, message }) => [object, reason, message.includes('volume default/data is newer than its removal')]), [['node/n1', 'VolumeKept', true]]);
});
