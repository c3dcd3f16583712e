import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseNodeId } from '#model/ids.ts';
import type { TaskId } from '#model/ids.ts';
import { createMovesApi } from '../../../../controller/api/moves-api.ts';
import { encodeNode, encodeService, encodeStatusRecord, encodeTask } from '../../../../controller/store/records.ts';
import { node, resources, service, status, task, taskId } from '../../../support/builders.ts';
import { MemoryReplica, OPERATOR, requestId } from '../../../support/memory-replica.ts';

const web = service();
const db = service({ name: 'db', kind: 'stateful' });
const slow = service({ name: 'slow', update: { maxSurge: 0, maxUnavailable: 1 } });
const [moved, ended, held, interrupted] = [task(web, 'n1'), task(web, 'n1', { slot: 1, desired: 'stop' }), task(db, 'n1', { slot: 2 }), task(slow, 'n1', { slot: 3 })];

async function start(t: ExecutionContext): Promise<MemoryReplica> {
  const replica = await MemoryReplica.start(t);
  for (const one of [node('n1'), node('n2'), node('n3', { availability: 'cordoned' }), node('n4', { capacity: resources(1, 1) })]) {
    await replica.put({ kind: 'node', id: one.id }, encodeNode(one));
  }
  for (const one of [web, db, slow]) {
    await replica.put({ kind: 'service', id: one.id }, encodeService(one));
  }
  for (const one of [moved, ended, held, interrupted]) {
    await replica.put({ kind: 'task', id: one.id }, encodeTask(one));
    await replica.put({ kind: 'status', id: one.id }, encodeStatusRecord(status(one)));
  }
  return replica;
}
const move = async (replica: MemoryReplica, id: number, pairs: readonly (readonly [TaskId, string])[]): Promise<void> => {
  await createMovesApi(replica.parts).moveTasks({ requestId: requestId(id), moves: pairs.map(([one, on]) => ({ task: one, node: parseNodeId(on) })) }, OPERATOR);
};

test('a move is a wish in the record of the task', async t => {
  const replica = await start(t);
  await move(replica, 1, [[moved.id, 'n2']]);
  t.like(replica.state.current.tasks.get(moved.id)?.value, { node: 'n1', moveTo: 'n2', desired: 'run' });
});

for (const [what, id, on, message] of [
  ['a task that is not known', taskId('none'), 'n2', /not known/], ['a node that is not there', moved.id, 'n9', /does not exist/],
  ['where it is', moved.id, 'n1', /is on n1 already/], ['to a cordoned node', moved.id, 'n3', /n3 cannot take task/], ['to a full node', moved.id, 'n4', /n4 cannot take task .* memory/],
  ['a task that stops', ended.id, 'n2', /does not run any more/], ['of a stateful service', held.id, 'n2', /of kind stateful/], ['where it would interrupt', interrupted.id, 'n2', /would interrupt it/],
] as const) {
  test(`refused, all or none: ${what}`, async t => {
    const replica = await start(t);
    t.regex((await t.throwsAsync(move(replica, 1, [[moved.id, 'n2'], [id, on]].slice(id === moved.id ? 1 : 0) as [TaskId, string][]))).message, message);
    t.is(replica.state.current.tasks.get(moved.id)?.value.moveTo, undefined);
  });
}
test('a plan of moves has bounds', async t => {
  await t.throwsAsync(createMovesApi({} as never).planMoves({ maxMoves: 0 }, OPERATOR), { message: /max_moves must be 1\.\.100/ });
});
