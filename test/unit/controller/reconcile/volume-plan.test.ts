import test from 'ava';
import type { Task } from '#model/task.ts';
import { volumeName } from '#model/volume.ts';
import { planService } from '../../../../controller/reconcile/service-plan.ts';
import { createActions, givenUpVolumes, planVolumes } from '../../../../controller/reconcile/volume-plan.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { app, container, node, service, snapshot, status, T0, task, taskId, volume } from '../../../support/builders.ts';
import type { ServiceOptions, SnapshotOptions } from '../../../support/builders.ts';

const data = (options: ServiceOptions = {}, perReplica = false) => service({
  volumes: [{ name: 'data', perReplica }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/data', readOnly: false }] }, ...options,
});
const nodes = [node('n1'), node('n2')];
const born = (of: SnapshotOptions, ...tasks: readonly Task[]) => createActions(snapshot({ nodes, ...of }), tasks.map(one => ({ task: one, reason: 'scale-up' })))
  .map(action => (action.kind === 'create-task' ? action.volumes ?? [] : []));
const planned = (of: SnapshotOptions) => planVolumes(snapshot({ nodes, ...of }), T0 + 5).actions.map(action => ('volume' in action ? [action.kind, action.reason, action.volume] : action));

test('the first task that is placed with a volume makes its record', t => {
  const db = data({ name: 'db', kind: 'stateful' }, true);
  t.deepEqual(born({}, task(db, 'n1', { slot: 2, fence: 100, createdAtMs: T0 })), [[volume('n1', { slot: 2, service: 'db', fence: 100 })]]);
  t.deepEqual(born({}, task(service(), 'n1')), [[]], 'one without volumes makes none');
});
test('of tasks that share it the first of the plan has it', t => {
  t.deepEqual(born({}, task(data(), 'n1', { slot: 0, fence: 100 }), task(data(), 'n1', { slot: 1, fence: 100 })), [[volume('n1', { fence: 100 })], []]);
});
test('a record goes on with the next task: whose it is, and that it is used', t => {
  const known = volume('n1', { fence: 7, app: 'gone', service: 'old', createdAtMs: T0 - 5, unusedSinceMs: T0 - 1 });
  t.deepEqual(born({ volumes: [known] }, task(data(), 'n1', { fence: 100 })), [[volume('n1', { fence: 100, createdAtMs: T0 - 5 })]]);
});
test('what comes after removed data is a new volume', t => {
  t.deepEqual(born({ volumes: [volume('n1', { state: 'removed', fence: 7, createdAtMs: T0 - 5 })] }, task(data(), 'n1', { fence: 100 })), [[volume('n1', { fence: 100 })]]);
});
test('a record that cannot be read is not written over, and keeps no task from its node', t => {
  t.deepEqual(born({ unreadableVolumes: ['default/data/n1'] }, task(data(), 'n1', { fence: 100 })), [[]]);
});
test('a record has the name by which its newest task mounts it', t => {
  const other = service({ name: 'other', volumes: [{ name: 'data-0', perReplica: false }], container: { volumes: [{ kind: 'volume', source: 'data-0', target: '/data', readOnly: false }] } });
  t.deepEqual(born({ volumes: [volume('n1', { slot: 0 })] }, task(other, 'n1', { fence: 100 })), [[volume('n1', { name: 'data-0', service: 'other', fence: 100 })]]);
});
test('a volume of global services is each node\'s own, until another kind uses it', t => {
  t.like(born({}, task(data({ kind: 'global' }), 'n1'))[0]?.[0], { isPerNode: true });
  t.like(born({ volumes: [volume('n1', { isPerNode: true })] }, task(data(), 'n1'))[0]?.[0], { isPerNode: false });
  t.like(born({ volumes: [volume('n1')] }, task(data({ kind: 'global' }), 'n1'))[0]?.[0], { isPerNode: false });
});
test('a plan makes its tasks with their volumes, where their data is', t => {
  const context = { nowMs: T0, clusterId: 'c', times: DEFAULT_TIMES, awayForMs: () => 0, revisionOf: () => undefined };
  const web = data({ replicas: 1 });
  const { actions } = planService(snapshot({ nodes, services: [web], volumes: [volume('n2', { unusedSinceMs: T0 })] }), web.id, context);
  const create = actions.find(action => action.kind === 'create-task');
  t.like(create, { task: { node: nodes[1]?.id }, volumes: [{ node: nodes[1]?.id, fence: 100 }] });
});

test('tasks that an earlier version placed are found: the newest says whose it is', t => {
  const tasks = [task(data(), 'n1', { id: taskId('b'), fence: 4 }), task(data({ name: 'reader' }), 'n1', { id: taskId('a'), fence: 3 }), task(data(), 'n9', { id: taskId('c') })];
  t.deepEqual(planned({ services: [data()], tasks, statuses: tasks.map(one => status(one, { phase: 'complete' })) }), [['put-volume', 'found', volume('n1', { fence: 4, createdAtMs: T0 })]]);
});
test('a record that is as new as its tasks stays; an older one follows them', t => {
  const tasks = [task(data(), 'n1', { fence: 4 })];
  t.deepEqual(planned({ services: [data()], tasks, volumes: [volume('n1', { fence: 4 })] }), []);
  t.deepEqual(planned({ services: [data()], tasks, volumes: [volume('n1', { fence: 3 })] }), [['put-volume', 'found', volume('n1', { fence: 4 })]]);
  t.deepEqual(planned({ services: [data()], tasks, unreadableVolumes: ['default/data/n1'] }), [], 'what cannot be read is not written over');
});
test('what an earlier version placed with data that was to go has it in use again', t => {
  const tasks = [task(data(), 'n1', { fence: 4, createdAtMs: T0 })];
  for (const state of ['removing', 'removed'] as const) {
    t.deepEqual(planned({ services: [data()], tasks, volumes: [volume('n1', { fence: 3, state })] }), [['put-volume', 'found', volume('n1', { fence: 4 })]], state);
    t.deepEqual(planned({ services: [data()], tasks, volumes: [volume('n1', { fence: 4, state })] }), [], 'one that it had before says nothing');
  }
});
test('an App is deleted with what no other App mounts, as nodes call it', t => {
  const shop = app('shop', { isDeleting: true, deletesVolumes: true });
  const others = [data({ app: 'blog' }), data({ app: 'news', volumes: [{ name: 'logs', perReplica: true }], container: { volumes: [{ kind: 'volume', source: 'logs', target: '/l', readOnly: false }] } })];
  const volumes = [volume('n1'), volume('n1', { slot: 0 }), volume('n1', { name: 'logs-3' }), volume('n1', { name: 'blogs', app: 'blog' }), volume('n2', { name: 'own', fence: 40 }), volume('n1', { name: 'newer', fence: 41 })];
  const deletedAt40 = { value: shop, createRevision: 1, modRevision: 40 };
  const given = givenUpVolumes(snapshot({ nodes, services: others, volumes }), deletedAt40).map(action => ('volume' in action ? [volumeName(action.volume), action.volume.state] : []));
  t.deepEqual(given, [['default/data-0', 'removing'], ['default/own', 'removing']]);
});
test('the records of a removed node go, not those of one that cannot be read', t => {
  const lost = volume('n9');
  t.deepEqual(planned({ services: [data()], volumes: [lost] }), [['remove-volume', 'node-removed', lost]]);
  t.deepEqual(planned({ services: [data()], volumes: [lost], unreadableNodes: [lost.node] }), []);
});
test('a record of removed data stays while an ended task would say that it is there', t => {
  const removed = volume('n1', { state: 'removed', fence: 4 });
  const tasks = [task(data(), 'n1', { fence: 4 })];
  t.deepEqual(planned({ services: [data()], volumes: [removed], tasks }), []);
  t.deepEqual(planned({ services: [data()], volumes: [removed], tasks: tasks.map(one => ({ ...one, container: container() })) }), [['remove-volume', 'data-removed', removed]]);
});
test('since when no service has a volume', t => {
  const { unusedSinceMs: _, ...used } = volume('n1', { unusedSinceMs: T0 });
  t.deepEqual(planned({ volumes: [volume('n1')] }), [['put-volume', 'unused', volume('n1', { unusedSinceMs: T0 + 5 })]]);
  t.deepEqual(planned({ services: [data({ isDeleting: true })], volumes: [volume('n1')] }), [['put-volume', 'unused', volume('n1', { unusedSinceMs: T0 + 5 })]]);
  t.deepEqual(planned({ services: [data()], volumes: [volume('n1', { unusedSinceMs: T0 })] }), [['put-volume', 'used', used]]);
  t.deepEqual(planned({ volumes: [volume('n1', { unusedSinceMs: T0 })] }), []);
});
