import test from 'ava';
import type { Task } from '#model/task.ts';
import { newRecord } from '../../../../agent/task/record.ts';
import { answersLeft, freeRemovals } from '../../../../agent/volume/removal.ts';
import { service, task, taskId } from '../../../support/builders.ts';

const db = service({ volumes: [{ name: 'data', perReplica: true }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] } });
const user = task(db, 'n1', { id: taskId('db'), slot: 1 });
const other = task(db, 'n1', { id: taskId('dc'), slot: 2 });
const setOf = (...tasks: readonly Task[]) => ({ tasks: new Map(tasks.map(one => [one.id, one])), volumeRemovals: [{ name: 'default/data-1', fence: 5 }, { name: 'default/logs', fence: 6 }] });
const free = (...args: Parameters<typeof freeRemovals>) => freeRemovals(...args).map(({ name }) => name);
const record = (of: Task, step: 'idle' | 'running' | 'ended' | 'finished') => ({ ...newRecord(of, 1, 'b'), step });

test('what no task uses is free', t => {
  t.deepEqual(free(setOf(), []), ['default/data-1', 'default/logs']);
  t.deepEqual(free(setOf(other), [record(other, 'running')]), ['default/data-1', 'default/logs'], 'another replica has one of its own');
});
test('a task uses its volumes until nothing of it runs again, whether it is still wanted or not', t => {
  for (const step of ['idle', 'running', 'ended'] as const) t.deepEqual(free(setOf(), [record(user, step)]), ['default/logs'], step);
  t.deepEqual(free(setOf(user), []), ['default/logs'], 'also before it has begun');
  t.deepEqual(free(setOf(user), [record(user, 'finished')]), ['default/data-1', 'default/logs']);
});
test('an answer holds while what was asked is free, and that data stays while nothing newer was given up', t => {
  const answers = { removedVolumes: ['default/data-1', 'default/gone'], keptVolumes: [{ name: 'default/logs', fence: 7 }] };
  const { volumeRemovals } = setOf();
  t.deepEqual(answersLeft(answers, volumeRemovals), { removedVolumes: ['default/data-1'], keptVolumes: answers.keptVolumes });
  t.deepEqual(answersLeft(answers, [{ name: 'default/logs', fence: 7 }]), { removedVolumes: [], keptVolumes: [] });
  t.deepEqual(answersLeft(answers, []), { removedVolumes: [], keptVolumes: [] });
});
