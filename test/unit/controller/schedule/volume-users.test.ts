import test from 'ava';
import { mountedBy, mountsVolumes, tasksUsingVolume, tasksWithVolume } from '../../../../controller/schedule/volume-users.ts';
import { container, service, snapshot, status, task, taskId, volume } from '../../../support/builders.ts';
import type { ServiceOptions } from '../../../support/builders.ts';

const mount = (source: string) => ({ kind: 'volume', source, target: `/${source}`, readOnly: false } as const);
const user = (name: string, perReplica: boolean, options: ServiceOptions = {}) => service({ volumes: [{ name, perReplica }], container: { volumes: [mount(name)] }, ...options });

test('a service mounts its volumes as nodes call them: every ordinal of a per_replica one, and no other volume of nearly its name', t => {
  const shared = mountedBy([user('data', false)]);
  t.deepEqual([volume('n1'), volume('n1', { slot: 0 }), volume('n1', { name: 'data-0' }), volume('n1', { namespace: 'prod' })].map(shared), [true, false, false, false]);
  const each = mountedBy([user('data', true)]);
  t.deepEqual([volume('n1'), volume('n1', { slot: 0 }), volume('n1', { slot: 12 }), volume('n1', { name: 'data-0' })].map(each), [false, true, true, true], 'data-0 has the place of an ordinal');
  t.false(mountedBy([user('data', false, { isDeleting: true })])(volume('n1')));
});
test('tasks of its node that mount a volume, and those of them that have not ended', t => {
  const of = user('data', true);
  const tasks = [task(of, 'n1', { id: taskId('b'), slot: 1 }), task(of, 'n1', { id: taskId('a'), slot: 1 }), task(of, 'n1', { id: taskId('c'), slot: 2 }), task(of, 'n2', { id: taskId('d'), slot: 1 })];
  const picture = snapshot({ tasks, statuses: [status(tasks[0]!, { phase: 'complete' })] });
  const data = volume('n1', { slot: 1 });
  t.deepEqual(tasksWithVolume(picture, data).map(({ id }) => id), [tasks[1]!.id, tasks[0]!.id]);
  t.deepEqual(tasksUsingVolume(picture, data).map(({ id }) => id), [tasks[1]!.id], 'one that nothing is known of may have the data');
});
test('which services mount named volumes, companions included', t => {
  t.true(mountsVolumes(user('data', false)));
  t.false(mountsVolumes(service({ container: { volumes: [{ kind: 'tmpfs', target: '/t', sizeBytes: 1 }] } })));
  t.true(mountsVolumes(service({ companions: [{ name: 'copy', role: 'sidecar', container: container({ volumes: [mount('data')] }) }] })));
});
