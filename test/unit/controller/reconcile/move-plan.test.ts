import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { planMovesOf } from '../../../../controller/reconcile/move-plan.ts';
import { serviceState } from '../../../../controller/reconcile/task-row.ts';
import { node, resources, service, serviceStatus, snapshot, task, taskId, T0 } from '../../../support/builders.ts';
import type { SnapshotOptions } from '../../../support/builders.ts';

const [n1, n2, n3] = [parseNodeId('n1'), parseNodeId('n2'), parseNodeId('n3')];
const small = [node('n1', { capacity: resources(100, 100) }), node('n2', { capacity: resources(100, 100) }), node('n3', { capacity: resources(100, 100) })];
const web = service({ container: { requests: resources(80, 80) } });
const other = service({ name: 'db', container: { requests: resources(80, 80) } });
const third = service({ name: 'log', container: { requests: resources(80, 80) } });
const mine = task(web, 'n1', { moveTo: n2 });
const theirs = task(other, 'n2', { id: taskId('tz') });

function plan(options: SnapshotOptions): { readonly stays: boolean; readonly abandoned: readonly string[] } {
  const cluster = snapshot({ nodes: small, services: [web, other, third], ...options });
  const state = serviceState(cluster, web.id);
  if (state === undefined) throw new Error('the service is not there');
  const { rows, abandoned } = planMovesOf(cluster, state);
  return { stays: rows.every(row => row.task.moveTo === undefined), abandoned: abandoned.map(one => one.reason) };
}
const KEPT = { stays: true, abandoned: [] };

test('where there is room the wish stands', t => {
  t.deepEqual(plan({ tasks: [mine] }), { stays: false, abandoned: [] });
});
test('a node that cannot take the task, where nothing changes: the wish is given up, and why is told', t => {
  const { stays, abandoned } = plan({ tasks: [mine, theirs] });
  t.true(stays);
  t.regex(abandoned[0] ?? '', /^n2 cannot take web-0-\S+ of service\/default\/shop\/web: no node fits: 1 of 1 node has not enough/);
  t.is(plan({ tasks: [mine], nodes: [small[0]!, node('n2', { availability: 'cordoned' })] }).abandoned.length, 1);
  t.regex(plan({ tasks: [mine], nodes: [small[0]!] }).abandoned[0] ?? '', /the node is not there any more$/);
});
test('while something there ends, moves away or is updated the wish waits', t => {
  t.deepEqual(plan({ tasks: [mine, { ...theirs, desired: 'stop' }] }), KEPT);
  t.deepEqual(plan({ tasks: [mine, { ...theirs, moveTo: n3 }] }), KEPT);
  t.deepEqual(plan({ tasks: [mine, { ...theirs, moveTo: n3 }, task(other, 'n3', { id: taskId('ty') })] }), KEPT, 'its replacement has been made');
  const rollout = { state: 'progressing', reason: '', revision: 1, startedAtMs: T0 } as const;
  t.deepEqual(plan({ tasks: [mine, theirs], serviceStatuses: [serviceStatus(other, { rollout })] }), KEPT);
  t.deepEqual(plan({ tasks: [mine], nodes: [small[0]!, node('n2', { condition: 'silent' })] }), KEPT);
});
test('a chain of moves waits for its last; a circle waits for nothing', t => {
  const last = task(third, 'n3', { id: taskId('ty'), moveTo: parseNodeId('n4') });
  const chain = [mine, { ...theirs, moveTo: n3 }, last];
  t.deepEqual(plan({ tasks: chain, nodes: [...small, node('n4')] }), KEPT);
  t.is(plan({ tasks: [mine, { ...theirs, moveTo: n1 }] }).abandoned.length, 1);
});
test('a task whose replacement is there is left to the update', t => {
  t.deepEqual(plan({ tasks: [mine, theirs, task(web, 'n2', { id: taskId('tx') })] }), { stays: false, abandoned: [] });
});
