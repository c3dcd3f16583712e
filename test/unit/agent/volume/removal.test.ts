import test from 'ava';
import type { Task } from '#model/task.ts';
import { newRecord } from '../../../../agent/task/record.ts';
import { freeRemovals } from '../../../../agent/volume/removal.ts';
import { service, task, taskId } from '../../../support/builders.ts';

const db = service({ volumes: [{ name: 'data', perReplica: true }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] } });
const user = task(db, 'n1', { id: taskId('db'), slot: 1 });
const other = task(db, 'n1', { id: taskId('dc'), slot: 2 });
const setOf = (...tasks: readonly Task[]) => ({ tasks: new Map(tasks.map(one => [one.id, one])), volumeRemovals: ['default/data-1', 'default/logs'] });
const record = (of: Task, step: 'idle' | 'running' | 'ended' | 'finished') => ({ ...newRecord(of, 1, 'b'), step });

test('what no task uses is free', t => {
  t.deepEqual(freeRemovals(setOf(), []), ['default/data-1', 'default/logs']);
  t.deepEqual(freeRemovals(setOf(other), [record(other, 'running')]), ['default/data-1', 'default/logs'], 'another replica has one of its own');
});
test('a task uses its volumes until nothing of it runs again, whether it is still wanted or not', t => {
  for (const step of ['idle', 'running', 'ended'] as const) t.deepEqual(freeRemovals(setOf(), [record(user, step)]), ['default/logs'], step);
  t.deepEqual(freeRemovals(setOf(user), []), ['default/logs'], 'also before it has begun');
  t.deepEqual(freeRemovals(setOf(user), [record(user, 'finished')]), ['default/data-1', 'default/logs']);
});
