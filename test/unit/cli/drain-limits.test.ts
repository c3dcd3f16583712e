import test from 'ava';
import type { PlannedTask } from '#model/cluster-plan.ts';
import { parseNodeId } from '#model/ids.ts';
import { drainLimits } from '../../../cli/drain-limits.ts';
import { service } from '../../support/builders.ts';
import { clusterView, DB, serviceView, taskView, WEB } from '../../support/cluster-view.ts';

const n1 = parseNodeId('n1');
const FULL = { running: 1, healthy: 1, wanted: 1 };
const view = clusterView({ services: [serviceView(DB, FULL), serviceView(WEB, FULL)], tasks: [taskView(DB, 0, 'n1'), taskView(WEB, 0, 'n1'), taskView(WEB, 1, 'n2')] });
const moved = (of: typeof WEB, task = taskView(of, 0, 'n1').task): PlannedTask => ({ kind: 'move', service: of.id, slot: 0, task: task.id, node: parseNodeId('n2'), fromNode: n1, reason: 'drain' });

test('what moves without harm is not told', t => {
  t.deepEqual(drainLimits({ ...view, services: [serviceView(WEB, FULL)] }, { nodes: [n1], unplaced: [], actions: [moved(WEB)] }), []);
});
test('what cannot leave, and why', t => {
  const unplaced = [{ service: WEB.id, count: 1, reasons: [{ rule: 'memory', nodes: [], have: '', need: '', sentence: 'n2 has not enough memory' }] }];
  t.deepEqual(drainLimits({ ...view, services: [serviceView(WEB, FULL)] }, { nodes: [n1], unplaced, actions: [] }), ['shop/web: 1 of 1 tasks cannot leave: n2 has not enough memory']);
});
test('what is interrupted', t => {
  t.deepEqual(drainLimits(view, { nodes: [n1], unplaced: [], actions: [moved(DB), moved(WEB)] }), ['shop/db: each task ends before its replacement starts: it is interrupted']);
});
test('global services never leave', t => {
  const agent = service({ name: 'agent', kind: 'global' });
  t.deepEqual(drainLimits({ ...view, services: [serviceView(agent, FULL)], tasks: [taskView(agent, 0, 'n1')] }, { nodes: [n1], unplaced: [], actions: [] }), []);
});
