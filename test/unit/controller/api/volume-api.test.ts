import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseNodeId, serviceId } from '#model/ids.ts';
import { createNodeApi } from '../../../../controller/api/node-api.ts';
import { createServiceApi } from '../../../../controller/api/service-api.ts';
import { createVolumeApi } from '../../../../controller/api/volume-api.ts';
import { volumeKey } from '../../../../controller/store/keys.ts';
import { encodeApp, encodeNode, encodeService, encodeStatusRecord, encodeTask, encodeVolume } from '../../../../controller/store/records.ts';
import { app, node, service, status, T0, task, volume } from '../../../support/builders.ts';
import { MemoryReplica, OPERATOR, requestId } from '../../../support/memory-replica.ts';

const db = service({
  name: 'db', kind: 'stateful', volumes: [{ name: 'data', perReplica: true }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] },
});
const [first, second] = [task(db, 'n1', { slot: 0 }), task(db, 'n2', { slot: 1 })];
const N1 = parseNodeId('n1');

/** `data-0` on n1 is used by a task that runs, `data-1` on n2 was used by one that ended, `old` belongs to no service. */
async function start(t: ExecutionContext): Promise<MemoryReplica> {
  const replica = await MemoryReplica.start(t);
  await replica.put({ kind: 'service', id: db.id }, encodeService(db));
  await replica.put({ kind: 'app', id: app().id }, encodeApp(app()));
  for (const name of ['n1', 'n2']) await replica.put({ kind: 'node', id: parseNodeId(name) }, encodeNode(node(name)));
  for (const each of [first, second]) await replica.put({ kind: 'task', id: each.id }, encodeTask(each));
  await replica.put({ kind: 'status', id: second.id }, encodeStatusRecord(status(second, { phase: 'complete', finishedAtMs: T0 + 9 })));
  for (const one of [volume('n1', { slot: 0, service: 'db' }), volume('n2', { slot: 1, service: 'db' }), volume('n2', { name: 'old', unusedSinceMs: T0 }), volume('n1', { name: 'gone', state: 'removed' })]) {
    await replica.put(volumeKey(one), encodeVolume(one));
  }
  return replica;
}
let requests = 0;
const remove = async (replica: MemoryReplica, name: string, options: { readonly node?: string; readonly isForced?: boolean } = {}): Promise<void> => {
  requests += 1;
  const { node: on, isForced = false } = options;
  await createVolumeApi(replica.parts).removeVolume({ requestId: requestId(requests), namespace: 'default', name, isForced, ...(on === undefined ? {} : { node: parseNodeId(on) }) }, OPERATOR);
};
const stateOf = (replica: MemoryReplica, id: string): string | undefined => replica.state.current.volumes.get(id)?.value.state;

test('the list says who uses a volume, and since when nobody does', async t => {
  const { listVolumes } = createVolumeApi((await start(t)).parts);
  const views = await listVolumes({}, OPERATOR);
  t.deepEqual(views.map(view => [view.volume.name, view.volume.slot, view.users.map(user => user.name), view.services, view.unusedSinceMs]), [
    ['data', 0, [first.name], [db.id], undefined], ['data', 1, [], [db.id], T0 + 9], ['old', undefined, [], [], T0],
  ]);
  t.deepEqual(await listVolumes({ namespace: 'prod' }, OPERATOR), []);
});
test('a volume that a task uses is not removed, force or not', async t => {
  const replica = await start(t);
  for (const isForced of [false, true]) {
    const error = await t.throwsAsync(remove(replica, 'data-0', { isForced }));
    t.like(error, { code: 'FAILED_PRECONDITION' });
    t.regex(error.message, /^volume default\/data-0 on n1 is used by db-0; scale its service to 0/);
  }
});
test('one of a service that is there is removed by force only: its next task starts with an empty one', async t => {
  const replica = await start(t);
  t.regex((await t.throwsAsync(remove(replica, 'data-1'))).message, /belongs to service default\/shop\/db, whose next task would start with an empty one; .*--force/);
  await remove(replica, 'data-1', { isForced: true });
  t.is(stateOf(replica, 'default/data-1/n2'), 'removing');
});
test('one of no service is removed, once and again', async t => {
  const replica = await start(t);
  await remove(replica, 'old');
  await remove(replica, 'old');
  t.is(stateOf(replica, 'default/old/n2'), 'removing');
});
test('what is not there is said, with what is', async t => {
  const replica = await start(t);
  t.regex((await t.throwsAsync(remove(replica, 'data'))).message, /one for each replica; name them: data-0 data-1$/);
  t.regex((await t.throwsAsync(remove(replica, 'gone'))).message, /default\/gone does not exist; see clusterctl volume ls -A/);
  t.regex((await t.throwsAsync(remove(replica, 'old', { node: 'n1' }))).message, /is not on n1; it is on n2/);
  t.like(await t.throwsAsync(remove(replica, '../etc')), { code: 'INVALID_ARGUMENT' });
});
test('only operators see and remove volumes', async t => {
  const api = createVolumeApi((await start(t)).parts);
  const peer = { role: 'node', name: 'n1', address: '' } as const;
  await t.throwsAsync(async () => await api.listVolumes({}, peer), { message: /may not call this/ });
  await t.throwsAsync(api.removeVolume({ requestId: requestId(99), namespace: 'default', name: 'old', isForced: true }, peer), { message: /may not call this/ });
});
test('an App is deleted with its volumes where that is asked for, also once its deletion has begun', async t => {
  const replica = await start(t);
  const { deleteApp } = createServiceApi(replica.parts);
  const seen = (): unknown => { const { isDeleting, deletesVolumes } = replica.state.current.apps.get(app().id)!.value; return [isDeleting, deletesVolumes]; };
  await deleteApp({ requestId: requestId(1), namespace: 'default', app: 'shop', withVolumes: false }, OPERATOR);
  t.deepEqual(seen(), [true, false]);
  await deleteApp({ requestId: requestId(2), namespace: 'default', app: 'shop', withVolumes: true }, OPERATOR);
  await deleteApp({ requestId: requestId(3), namespace: 'default', app: 'shop', withVolumes: false }, OPERATOR);
  t.deepEqual(seen(), [true, true]);
});
test('a node that answers is not removed with data that no task tells of any more; one that is lost is', async t => {
  const replica = await MemoryReplica.start(t);
  const kept = volume('n1', { fence: 10 });
  await replica.put({ kind: 'node', id: N1 }, encodeNode(node('n1')));
  await replica.put(volumeKey(kept), encodeVolume(kept));
  const api = createNodeApi(replica.parts);
  t.regex((await t.throwsAsync(api.removeNode({ requestId: requestId(1), node: N1 }, OPERATOR))).message, /^node n1 has the data of volume default\/data, .*clusterctl volume rm/);
  await replica.put({ kind: 'node', id: N1 }, encodeNode(node('n1', { condition: 'silent' })));
  t.regex((await t.throwsAsync(api.removeNode({ requestId: requestId(3), node: N1 }, OPERATOR))).message, /^node n1 is silent .* it has the data of volume default\/data; wait until it is lost/);
  await replica.put({ kind: 'node', id: N1 }, encodeNode(node('n1', { condition: 'lost' })));
  await api.removeNode({ requestId: requestId(2), node: N1 }, OPERATOR);
  t.false(replica.state.current.nodes.has(N1));
  t.is(serviceId('default', 'shop', 'db'), db.id);
});
