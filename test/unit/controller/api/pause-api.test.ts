import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { TaskId } from '#model/ids.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { createPauseApi } from '../../../../controller/api/pause-api.ts';
import { encodeStatusRecord, encodeTask } from '../../../../controller/store/records.ts';
import { service, status, task, taskId } from '../../../support/builders.ts';
import { MemoryReplica, OPERATOR, requestId } from '../../../support/memory-replica.ts';

const web = service();
const [one, two, starting, stopping, ended] = [
  task(web, 'n1', { slot: 0 }), task(web, 'n1', { slot: 1 }), task(web, 'n1', { slot: 2 }), task(web, 'n1', { slot: 3, desired: 'stop' }), task(web, 'n1', { slot: 4 }),
];

async function start(t: ExecutionContext): Promise<MemoryReplica> {
  const replica = await MemoryReplica.start(t);
  const put = async (of: Task, phase: TaskStatus['phase']): Promise<void> => {
    await replica.put({ kind: 'task', id: of.id }, encodeTask(of));
    await replica.put({ kind: 'status', id: of.id }, encodeStatusRecord(status(of, { phase })));
  };
  for (const [of, phase] of [[one, 'running'], [two, 'running'], [starting, 'starting'], [stopping, 'running'], [ended, 'complete']] as const) {
    await put(of, phase);
  }
  return replica;
}
const set = async (replica: MemoryReplica, id: number, tasks: readonly TaskId[], isPaused: boolean): Promise<void> => {
  await createPauseApi(replica.parts).setPaused({ requestId: requestId(id), tasks, isPaused }, OPERATOR);
};
const pausedOf = (replica: MemoryReplica): readonly TaskId[] => [...replica.state.current.tasks.values()].filter(({ value }) => value.isPaused).map(({ value }) => value.id).toSorted();

test('tasks are paused, and run on; naming one twice, or wishing it twice, is fine', async t => {
  const replica = await start(t);
  await set(replica, 1, [one.id, two.id, one.id], true);
  t.deepEqual(pausedOf(replica), [one.id, two.id].toSorted());
  await set(replica, 2, [one.id], true);
  await set(replica, 3, [two.id, starting.id], false);
  t.deepEqual(pausedOf(replica), [one.id]);
});

test('a request repeated after its reversal changes nothing more', async t => {
  const replica = await start(t);
  await set(replica, 1, [one.id], true);
  await set(replica, 2, [one.id], false);
  await set(replica, 1, [one.id], true);
  t.deepEqual(pausedOf(replica), []);
});

for (const [what, id, isPaused, code] of [
  ['is not known', taskId('none'), true, 'NOT_FOUND'],
  ['is to stop', stopping.id, true, 'FAILED_PRECONDITION'],
  ['is to stop, unpaused', stopping.id, false, 'FAILED_PRECONDITION'],
  ['has ended', ended.id, true, 'FAILED_PRECONDITION'],
  ['does not run yet', starting.id, true, 'FAILED_PRECONDITION'],
] as const) {
  test(`all or none: a task that ${what}`, async t => {
    const replica = await start(t);
    t.like(await t.throwsAsync(set(replica, 1, [one.id, id], isPaused)), { code });
    t.deepEqual(pausedOf(replica), []);
  });
}

test('more than a transaction holds, and other callers, are refused', async t => {
  const replica = await start(t);
  t.like(await t.throwsAsync(set(replica, 1, Array.from({ length: 101 }, () => one.id), true)), { code: 'INVALID_ARGUMENT' });
  t.like(await t.throwsAsync(createPauseApi(replica.parts).setPaused({ requestId: requestId(2), tasks: [one.id], isPaused: true }, { role: 'node', name: 'n1', address: '10.0.0.2' })), { code: 'PERMISSION_DENIED' });
  t.deepEqual(pausedOf(replica), []);
});
