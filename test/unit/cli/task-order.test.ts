import test from 'ava';
import { inOrder } from '../../../cli/task-order.ts';
import { clusterView, DB, taskView, WEB } from '../../support/cluster-view.ts';

test('tasks of a service stand together, by slot, the older first', t => {
  const newer = taskView(WEB, 1, 'n1');
  const older = { ...newer, task: { ...newer.task, createdAtMs: newer.task.createdAtMs - 1 } };
  const tasks = [newer, taskView(WEB, 0, 'n1'), taskView(DB, 0, 'n1'), older];
  t.deepEqual(inOrder(clusterView({ tasks })).tasks, [tasks[2], tasks[1], older, newer]);
});
