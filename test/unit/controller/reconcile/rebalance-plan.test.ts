import test from 'ava';
import fc from 'fast-check';
import type { Service } from '#model/app.ts';
import type { Task } from '#model/task.ts';
import { planMoves } from '../../../../controller/reconcile/rebalance-plan.ts';
import { container, node, resources, service, serviceStatus, snapshot, status, task, taskId } from '../../../support/builders.ts';
import type { ServiceOptions, SnapshotOptions } from '../../../support/builders.ts';

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
