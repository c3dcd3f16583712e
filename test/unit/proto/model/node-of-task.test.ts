import test from 'ava';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { isOfEarlierNode, nodeOfTask, tasksOfNode } from '#model/node-of-task.ts';
import { node, service, snapshot, task, volume } from '../../../support/builders.ts';

const [n1, one] = [node('n1'), task(service(), 'n1')];

/** The node with a create revision of its own; the task has 10. */
function joinedAt(createRevision: number): ClusterSnapshot {
  const state = snapshot({ nodes: [n1], tasks: [one] });
  return { ...state, nodes: new Map([[n1.id, { value: n1, createRevision, modRevision: 30 }]]) };
}

test('a task is on the node that was there when it was placed, not on a later one of that name', t => {
  t.is(nodeOfTask(joinedAt(9), one), n1);
  t.is(nodeOfTask(joinedAt(11), one), undefined);
  t.is(nodeOfTask(snapshot({ tasks: [one] }), one), undefined);
  t.is(nodeOfTask({ ...joinedAt(11), tasks: new Map() }, one), n1, 'one that is not on record yet is new');
});

test('the tasks of a node are its own; of a name without a record all that have it', t => {
  const ids = (state: ClusterSnapshot): unknown => tasksOfNode(state, n1.id).map(({ value }) => value.id);
  t.deepEqual([ids(joinedAt(9)), ids(joinedAt(11)), ids(snapshot({ tasks: [one] }))], [[one.id], [], [one.id]]);
});

test('a volume is of an earlier node when the newest task that used it is older than the node', t => {
  const isEarlier = (fence: number): boolean => isOfEarlierNode(joinedAt(11), volume('n1', { fence }));
  t.deepEqual([isEarlier(10), isEarlier(11), isEarlier(12)], [true, false, false]);
  t.false(isOfEarlierNode(joinedAt(11), volume('n2', { fence: 1 })));
});
