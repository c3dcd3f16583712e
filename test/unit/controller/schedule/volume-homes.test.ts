import test from 'ava';
import { isDataGone, leavingVolumes, volumeHomes } from '../../../../controller/schedule/volume-homes.ts';
import { failed, node, service, snapshot, task, volume } from '../../../support/builders.ts';
import type { ServiceOptions } from '../../../support/builders.ts';

const data = (options: ServiceOptions = {}, perReplica = false) => service({
  volumes: [{ name: 'data', perReplica }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/data', readOnly: false }] }, ...options,
});
const nodes = [node('n1'), node('n2')];
const homes = (of: ReturnType<typeof data>, tasks: readonly ReturnType<typeof task>[], statuses = tasks.map(one => failed(one))) => Object.fromEntries(volumeHomes(snapshot({ nodes, tasks, statuses }), of));

test('the newest task that used a volume says where it lies, also when it ended', t => {
  t.deepEqual(homes(data(), [task(data(), 'n1', { slot: 0, fence: 2 }), task(data(), 'n2', { slot: 1, fence: 1 })]), { 'default/data': node('n1').id });
});
test('another service that shares the volume says so too', t => {
  t.deepEqual(homes(data({ name: 'reader' }), [task(data(), 'n2')]), { 'default/data': node('n2').id });
});
test('a removed node has no volumes any more', t => {
  t.deepEqual(homes(data(), [task(data(), 'n9')]), {});
});
test('global services have one on each node', t => {
  t.deepEqual(homes(data({ kind: 'global' }), [task(data({ kind: 'global' }), 'n1')]), {});
  t.deepEqual(homes(data(), [task(data({ kind: 'global', name: 'agent' }), 'n1')]), {});
});

const recorded = (of: ReturnType<typeof data>, options: Parameters<typeof snapshot>[0]) => Object.fromEntries(volumeHomes(snapshot({ nodes, ...options }), of));
test('a record says where a volume lies, when no task is left', t => {
  t.deepEqual(recorded(data(), { volumes: [volume('n2')] }), { 'default/data': node('n2').id });
  t.deepEqual(recorded(data(), { volumes: [volume('n9'), volume('n1', { isPerNode: true }), volume('n2', { namespace: 'prod' })] }), {}, 'but not of a node that is gone, of global services, of other namespaces');
});
test('of several records the one of the newest task counts, whatever their order', t => {
  const both = [volume('n1', { fence: 9 }), volume('n2', { fence: 3 })];
  t.deepEqual([both, both.toReversed()].map(volumes => recorded(data(), { volumes })), [{ 'default/data': node('n1').id }, { 'default/data': node('n1').id }]);
});
test('a task that is newer than the record was placed by a controller that writes none', t => {
  t.deepEqual(recorded(data(), { volumes: [volume('n1', { fence: 3 })], tasks: [task(data(), 'n2', { fence: 4 })] }), { 'default/data': node('n2').id });
  t.deepEqual(recorded(data(), { volumes: [volume('n1', { fence: 3 })], tasks: [task(data(), 'n2', { fence: 2 })] }), { 'default/data': node('n1').id });
});
test('data that was given up is no home, and the tasks before do not say otherwise', t => {
  for (const state of ['removing', 'removed'] as const) {
    const given = { volumes: [volume('n1', { state, fence: 3 })], tasks: [task(data(), 'n1', { fence: 3 })] };
    t.deepEqual(recorded(data(), given), {}, state);
    t.deepEqual(recorded(data(), { ...given, tasks: [task(data(), 'n1', { fence: 4 })] }), { 'default/data': node('n1').id }, 'a later one does');
  }
  t.false(isDataGone(snapshot({ volumes: [volume('n1')] }), task(data(), 'n1'), 'default/data'));
});
test('a record that cannot be read says by its key where data is', t => {
  t.deepEqual(recorded(data(), { unreadableVolumes: ['default/data/n2', 'prod/data/n1'] }), { 'default/data': node('n2').id });
});
test('nodes that have data to delete first', t => {
  const volumes = [volume('n1', { state: 'removing' }), volume('n2'), volume('n2', { namespace: 'prod', state: 'removing' })];
  t.deepEqual([...leavingVolumes(snapshot({ volumes }), data())], ['default/data/n1']);
  t.is(leavingVolumes(snapshot({ volumes }), service()).size, 0);
});
