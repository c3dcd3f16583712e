import test from 'ava';
import { volumeHomes, volumeKeys } from '../../../../controller/schedule/volume-homes.ts';
import { failed, node, service, snapshot, task } from '../../../support/builders.ts';
import type { ServiceOptions } from '../../../support/builders.ts';

const data = (options: ServiceOptions = {}, perReplica = false) => service({
  volumes: [{ name: 'data', perReplica }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/data', readOnly: false }] }, ...options,
});
const nodes = [node('n1'), node('n2')];
const homes = (of: ReturnType<typeof data>, tasks: readonly ReturnType<typeof task>[], statuses = tasks.map(one => failed(one))) => Object.fromEntries(volumeHomes(snapshot({ nodes, tasks, statuses }), of));

test('keys: one a namespace, or one a replica; binds and tmpfs have none', t => {
  const keys = (perReplica: boolean) => volumeKeys({ namespace: 'default', volumes: [{ name: 'data', perReplica }], container: data().spec.container }, 3);
  t.deepEqual(keys(false), ['default/data']);
  t.deepEqual(keys(true), ['default/data-3']);
  t.deepEqual(volumeKeys({ namespace: 'default', volumes: [], container: { ...data().spec.container, volumes: [{ kind: 'tmpfs', target: '/t', sizeBytes: 1 }] } }, 0), []);
});
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
