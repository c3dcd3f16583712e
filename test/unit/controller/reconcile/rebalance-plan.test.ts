import test from 'ava';
import { fc } from '../../../support/property.ts';
import type { Service } from '#model/app.ts';
import type { ClusterPlan } from '#model/cluster-plan.ts';
import type { Node } from '#model/node.ts';
import type { Task } from '#model/task.ts';
import { MovePlanner, TRIES_PER_TURN } from '../../../../controller/reconcile/rebalance-plan.ts';
import { schedule } from '../../../../controller/schedule/schedule.ts';
import { T0, container, node, resources, service, serviceStatus, snapshot, status, task, taskId } from '../../../support/builders.ts';
import type { ServiceOptions, SnapshotOptions } from '../../../support/builders.ts';

function planMoves(...args: ConstructorParameters<typeof MovePlanner>): ClusterPlan {
  const planner = new MovePlanner(...args);
  while (!planner.step());
  return planner.plan;
}

const NODES = ['n1', 'n2', 'n3'].map(name => node(name));
const id = (index: number): Task['id'] => taskId(`m${String.fromCharCode(97 + Math.floor(index / 26))}${String.fromCharCode(97 + index % 26)}`);

function planned(of: Service, on: readonly string[], some: SnapshotOptions & { readonly maxMoves?: number } = {}) {
  const { maxMoves = 10, ...more } = some;
  const tasks = on.map((name, slot) => task(of, name, { slot, id: id(slot) }));
  return planMoves(snapshot({ services: [of], nodes: NODES, tasks, serviceStatuses: [serviceStatus(of)], ...more }), { maxMoves });
}
const lines = (of: Service, on: readonly string[], some?: Parameters<typeof planned>[2]): readonly string[] => planned(of, on, some).actions.map(one => `${one.fromNode ?? ''} -> ${one.node}`);
const six = service({ replicas: 6 });

test('a node that was added gets its share, and no more', t => {
  t.deepEqual(lines(six, ['n1', 'n1', 'n1', 'n2', 'n2', 'n2']), ['n1 -> n3', 'n2 -> n3']);
});
test('what is even stays', t => { t.deepEqual(lines(six, ['n1', 'n1', 'n2', 'n2', 'n3', 'n3']), []); });
test('one off even stays: a move costs more', t => { t.deepEqual(lines(service({ replicas: 4 }), ['n1', 'n1', 'n2', 'n3']), []); });
test('no more than the budget', t => { t.deepEqual(lines(six, ['n1', 'n1', 'n1', 'n1', 'n1', 'n1'], { maxMoves: 1 }).length, 1); });
test('load alone is worth a move when it is large', t => {
  const large = service({ replicas: 1, container: container({ requests: resources(1_000, 1_024) }) });
  const other = service({ name: 'other', replicas: 1, container: container({ requests: resources(1_000, 1_024) }) });
  const tasks = [task(large, 'n1', { id: id(0) }), task(other, 'n1', { id: id(1) })];
  const moves = planMoves(snapshot({ services: [large, other], nodes: NODES, tasks, serviceStatuses: [serviceStatus(large), serviceStatus(other)] }), { maxMoves: 5 }).actions;
  t.is(moves.length, 1);
  t.regex(moves[0]?.reason ?? '', /takes 25 points of load off n1; a move costs 5/);
  t.deepEqual(lines(service({ replicas: 1 }), ['n1']), []);
});

const stays = test.macro({
  exec(t, options: ServiceOptions, some: SnapshotOptions, note: RegExp) {
    const plan = planned(service({ replicas: 6, ...options }), ['n1', 'n1', 'n1', 'n1', 'n1', 'n1'], some);
    t.deepEqual(plan.actions, []);
    t.regex(plan.notes.join(), note);
  },
  title: (name = '') => `stays, and says why: ${name}`,
});
test('stateful', stays, { kind: 'stateful' }, {}, /of kind stateful/);
test('stop-first', stays, { update: { maxSurge: 0, maxUnavailable: 1 } }, {}, /would interrupt it/);
test('in a rollout', stays, {}, { serviceStatuses: [serviceStatus(six, { settledRevision: 0 })] }, /are being updated/);
test('not all serve', stays, {}, { statuses: [] }, /do not all serve/);

const closed = test.macro({
  exec(t, nodes: readonly Node[], notes: readonly string[], of: ServiceOptions = {}) {
    const on = nodes.filter(one => one.id === 'n2' || one.id === 'n3').flatMap(one => [one.id, one.id]);
    const plan = planned(service({ replicas: on.length, ...of }), on, { nodes });
    t.deepEqual(plan.notes, notes);
    t.is(plan.actions.length, notes.length === 0 ? 1 : 0);
  },
  title: (name = '') => `says which node takes nothing, and why: ${name}`,
});
const [, n2, n3] = NODES as [Node, Node, Node];
test('none', closed, NODES, []);
test('cordoned', closed, [node('n1', { availability: 'cordoned' }), n2, n3], ['node/n1 takes nothing: it is cordoned']);
test('draining', closed, [node('n1', { availability: 'draining' }), n2, n3], ['node/n1 takes nothing: it is draining']);
test('silent', closed, [node('n1', { condition: 'silent', conditionSinceMs: T0 + 3_000 }), n2, n3], [`node/n1 takes nothing: it is silent since ${new Date(T0 + 3_000).toISOString()}`]);
test('lost, and nothing runs that could move', closed, [node('n1', { condition: 'lost' })], [`node/n1 takes nothing: it is lost since ${new Date(T0).toISOString()}`]);
test('a taint that no service tolerates', closed, [node('n1', { taints: ['spot'] }), n2, n3], ['node/n1 takes nothing: it has the taint spot, which the service does not tolerate']);
test('a taint that the service tolerates', closed, [node('n1', { taints: ['spot'] }), n2, n3], [], { placement: { tolerate: ['spot'] } });
test('many with one reason', closed, [...Array.from({ length: 12 }, (_, index) => node(`m${String(index + 10)}`, { availability: 'cordoned' })), n2, n3],
  [`${Array.from({ length: 10 }, (_, index) => `node/m${String(index + 10)}`).join(', ')} and 2 more take nothing: each is cordoned`]);

test('property: applied and planned again there is nothing left to do, and each node stays within its capacity', t => {
  fc.assert(fc.property(fc.array(fc.constantFrom('n1', 'n2', 'n3'), { minLength: 1, maxLength: 9 }), fc.integer({ min: 50, max: 400 }), (on, milliCpu) => {
    const of = service({ replicas: on.length, container: container({ requests: resources(milliCpu, 32) }) });
    const plan = planned(of, on, { maxMoves: 100 });
    const after = on.map((name, slot) => plan.actions.find(one => one.slot === slot)?.node ?? name);
    t.deepEqual(planned(of, after, { maxMoves: 100 }).actions, []);
    const counts = [...Map.groupBy(after, name => name).values()].map(list => list.length);
    t.true(on.length < 3 || Math.max(...counts) - Math.min(...counts, counts.length < 3 ? 0 : Infinity) <= 1);
    t.true(plan.nodes.every(one => one.after.milliCpu <= one.capacity.milliCpu));
  }), { numRuns: 60 });
});
test('the same again is the same', t => {
  const tasks = ['n1', 'n1', 'n1', 'n2'].map((name, slot) => task(six, name, { slot, id: id(slot) }));
  const of = (list: readonly Task[]) => planMoves(snapshot({ services: [six], nodes: [...NODES].reverse(), tasks: list, statuses: list.map(one => status(one)), serviceStatuses: [serviceStatus(six)] }), { maxMoves: 9 });
  t.deepEqual(of(tasks), of([...tasks].reverse()));
});

/** A map that counts how often it is walked through and asked. */
class CountingMap<Key, Value> extends Map<Key, Value> {
  walks = 0;
  gets = 0;
  override get(key: Key): Value | undefined {
    this.gets += 1;
    return super.get(key);
  }
  override values(): MapIterator<Value> {
    this.walks += 1;
    return super.values();
  }
  override entries(): MapIterator<[Key, Value]> {
    this.walks += 1;
    return super.entries();
  }
  override [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.entries();
  }
}

test('2,000 tasks: one paper cluster a plan, and so many calls of the scheduler a turn, however many tasks are tried', t => {
  const nodes = Array.from({ length: 50 }, (_, index) => node(`n${String(index + 1)}`, { capacity: resources(64_000, 65_536) }));
  const services = Array.from({ length: 100 }, (_, index) => service({ name: `s${String(index)}`, replicas: 20, container: { requests: resources(100, 64) } }));
  const letters = (index: number): string => [index / 676, index / 26 % 26, index % 26].map(part => String.fromCharCode(97 + Math.floor(part))).join('');
  const tasks = services.flatMap((of, index) => Array.from({ length: 20 }, (_, slot) => task(of, `n${String(slot % 10 + 1)}`, { slot, id: taskId(letters(index * 20 + slot)) })));
  const state = snapshot({ nodes, services, tasks, serviceStatuses: services.map(of => serviceStatus(of)) });
  const records = new CountingMap(state.tasks);
  records.walks = 0;
  const calls: number[] = [];
  let turn = 0;
  const planner = new MovePlanner({ ...state, tasks: records }, { maxMoves: 100 }, (...args) => {
    calls[turn] = (calls[turn] ?? 0) + 1;
    return schedule(...args);
  });
  const [walks, gets] = [records.walks, records.gets];
  while (!planner.step()) turn += 1;
  t.is(planner.plan.actions.length, 100);
  t.true(walks <= 3, String(walks));
  t.true(gets <= 4 * tasks.length, String(gets));
  t.deepEqual([records.walks, records.gets], [walks, gets], 'the turns read their paper alone');
  t.true(calls.length >= 100 / TRIES_PER_TURN && calls.every(count => count <= TRIES_PER_TURN), calls.join());
});
test('what changes while it plans is not looked at', t => {
  const tasks = ['n1', 'n1', 'n1', 'n1'].map((name, slot) => task(six, name, { slot, id: id(slot) }));
  const state = snapshot({ services: [six], nodes: NODES, tasks, serviceStatuses: [serviceStatus(six)] });
  const expected = planMoves(state, { maxMoves: 9 });
  const planner = new MovePlanner(state, { maxMoves: 9 });
  (state.tasksOnNode.get(NODES[0]!.id) as Set<unknown>).clear();
  (state.tasks as Map<unknown, unknown>).clear();
  while (!planner.step());
  t.deepEqual(planner.plan, expected);
});
