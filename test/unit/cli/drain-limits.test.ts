import test from 'ava';
import type { PlannedTask } from '#model/cluster-plan.ts';
import { parseNodeId } from '#model/ids.ts';
import { drainLimits, nextDrainStep, stayingTasks } from '../../../cli/drain-limits.ts';
import { node, service } from '../../support/builders.ts';
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
  t.deepEqual(drainLimits({ ...view, services: [serviceView(WEB, FULL)] }, { nodes: [n1], unplaced, actions: [] }), ['shop/web: its task cannot leave: n2 has not enough memory']);
});
test('what is interrupted', t => {
  t.deepEqual(drainLimits(view, { nodes: [n1], unplaced: [], actions: [moved(DB), moved(WEB)] }), ['shop/db: each task ends before its replacement starts: it is interrupted']);
});
test('global services never leave', t => {
  const agent = service({ name: 'agent', kind: 'global' });
  t.deepEqual(drainLimits({ ...view, services: [serviceView(agent, FULL)], tasks: [taskView(agent, 0, 'n1')] }, { nodes: [n1], unplaced: [], actions: [] }), []);
});

const unplacedDb = { service: DB.id, count: 1, reasons: [
  { rule: 'volume default/data-0', nodes: [parseNodeId('n2')], have: '', need: '', sentence: '1 node is not n1, which has the data of volume default/data-0' },
  { rule: 'draining', nodes: [n1], have: '', need: '', sentence: '1 node is draining' },
], fix: { sentence: 'uncordon n1', edit: { kind: 'node', node: 'n1', change: 'uncordon it' } } } as const;
test('a task whose data is there stays: why, and what can be done', t => {
  const [db] = view.tasks;
  t.deepEqual(stayingTasks(view, { nodes: [n1], unplaced: [unplacedDb], actions: [moved(WEB)] }), [{ task: db?.task.id, node: n1,
    reason: 'shop/db: 1 node is not n1, which has the data of volume default/data-0; stop it with --force, and it waits for its data on n1, or give it up: clusterctl delete svc/shop/db -n default' }]);
});
test('one that would fit with a change is told the change', t => {
  const unplaced = [{ service: WEB.id, count: 1, reasons: [], fix: { sentence: 'remove the taint spot of n2', edit: { kind: 'node', node: 'n2', change: 'remove its taint spot' } } }] as const;
  const [only] = stayingTasks({ ...view, services: [serviceView(WEB, FULL)] }, { nodes: [n1], unplaced, actions: [] });
  t.is(only?.reason, 'shop/web: it has no other place; remove the taint spot of n2, or stop it with --force, and it waits for a place, or give it up: clusterctl delete svc/shop/web -n default');
});
test('of a lost node everything stays', t => {
  const lost = { ...view, nodes: view.nodes.map(one => ({ ...one, node: node(one.node.id, { condition: 'lost' }) })) };
  t.deepEqual(stayingTasks(lost, { nodes: [n1], unplaced: [], actions: [moved(DB), moved(WEB)] }).map(({ reason }) => reason),
    ['db', 'web'].map(name => `shop/${name}: n1 is lost; when it does not come back, forget it: clusterctl node rm n1`));
});

const left = view.tasks.filter(({ task }) => task.node === n1);
const stays = left.map(({ task }) => ({ task: task.id, node: n1, reason: '' }));
const turn = { left, staying: stays, isForced: false, waits: false, isLate: false };
const steps = test.macro({
  exec: (t, change: Partial<typeof turn>, expected: string) => {
    const step = nextDrainStep({ ...turn, ...change });
    t.is(step.kind === 'stop' ? `stop ${String(step.tasks.length)}` : step.kind, expected);
  },
  title: (name = '') => `nextDrainStep: ${name}`,
});
test('the end where all that is left stays', steps, {}, 'end');
test('not while one may leave', steps, { staying: stays.slice(1) }, 'wait');
test('not while one may leave, by force neither', steps, { staying: stays.slice(1), isForced: true }, 'wait');
test('force stops what stays', steps, { isForced: true }, 'stop 2');
test('who waits, waits', steps, { waits: true }, 'wait');
test('but not beyond the deadline: all is stopped', steps, { waits: true, isLate: true, staying: [] }, 'stop 2');
test('what is to stop already is not told again', steps, { waits: true, isLate: true, left: left.map(one => ({ ...one, task: { ...one.task, desired: 'stop' as const } })) }, 'wait');
test('on a lost node nothing hears of a stop', steps, { isForced: true, left: left.map(one => ({ ...one, state: 'lost' as const })) }, 'end');
