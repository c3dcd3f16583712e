import test from 'ava';
import { planBlueGreen } from '../../../../controller/reconcile/blue-green-plan.ts';
import type { BlueGreen } from '../../../../controller/reconcile/blue-green-plan.ts';
import type { SlotInput } from '../../../../controller/reconcile/slot-plan.ts';
import type { TaskRow } from '../../../../controller/reconcile/task-row.ts';
import { node, service, status, task, taskId } from '../../../support/builders.ts';

const before = service({ replicas: 2 });
const green = { ...service({ replicas: 2, update: { strategy: 'blue_green' } }), revision: 2, templateHash: 'hash-2' };
const row = (hash: string, slot: number, on = node('n1')): TaskRow => {
  const made = task(before, on, { slot, templateHash: hash, id: taskId(`${hash === 'hash-1' ? 'b' : hash === 'hash-2' ? 'g' : 'c'}${String.fromCharCode(97 + slot)}`) });
  return { task: made, status: status(made), node: on };
};
const BLUE = [row('hash-1', 0), row('hash-1', 1)];
const GREEN = [row('hash-2', 0), row('hash-2', 1)];

const plans = test.macro({
  exec(t, rows: readonly TaskRow[], some: Partial<BlueGreen> & Partial<Pick<SlotInput, 'isPaused'>>, creates: readonly string[], stops: readonly string[]) {
    const { isPaused = false, ...colours } = some;
    const input: SlotInput = {
      service: green, rows, wanted: [{ slot: 0 }, { slot: 1 }], blocked: new Set(), isPaused, canMakeOld: true, isReplaceable: () => true, fitsElsewhere: () => true,
    };
    const plan = planBlueGreen(input, { active: 'hash-1', before, isSettled: false, ...colours });
    t.deepEqual(plan.creates.map(one => `${one.isOld === true ? 'old' : 'new'} ${String(one.slot)} ${one.reason}`), creates);
    t.deepEqual(plan.stops.map(one => one.row.task.id), stops.map(taskId));
  },
  title: (name = '') => `planBlueGreen: ${name}`,
});
test('all of green beside blue, nothing stops', plans, BLUE, {}, ['new 0 rollout', 'new 1 rollout'], []);
test('green whole before the switch: both stay', plans, [...BLUE, ...GREEN], {}, [], []);
test('after the switch blue stays until the Revision has settled', plans, [...BLUE, ...GREEN], { active: 'hash-2' }, [], []);
test('then it goes', plans, [...BLUE, ...GREEN], { active: 'hash-2', isSettled: true }, [], ['ba', 'bb']);
test('a blue task that is missing is made again before the switch', plans, [BLUE[0]!, ...GREEN], {}, ['old 1 scale-up'], []);
test('but not after it', plans, [BLUE[0]!, ...GREEN], { active: 'hash-2' }, [], []);
test('what is neither colour goes at once', plans, [...BLUE, row('hash-0', 0)], {}, ['new 0 rollout', 'new 1 rollout'], ['ca']);
test('paused: green gets nothing more', plans, BLUE, { isPaused: true }, [], []);
test('blue of an unknown Revision is left as it is', plans, [BLUE[0]!, ...GREEN], { before: undefined }, [], []);
test('blue on a node that is drained is replaced by blue', plans, [row('hash-1', 0, node('n2', { availability: 'draining' })), BLUE[1]!, ...GREEN], {}, ['old 0 drain'], []);
test('without old tasks as any service', plans, [GREEN[0]!], { active: undefined }, ['new 1 scale-up'], []);

test('planBlueGreen: what stops counts until it has ended: no more than twice the replicas and the surge are there', t => {
  const stopping = [2, 3, 4].map(slot => ({ ...row('hash-0', slot), task: { ...row('hash-0', slot).task, desired: 'stop' as const } }));
  const limit = (rows: readonly TaskRow[]): number => planBlueGreen(
    { service: green, rows, wanted: [{ slot: 0 }, { slot: 1 }], blocked: new Set(), isPaused: false, canMakeOld: true, isReplaceable: () => true, fitsElsewhere: () => true },
    { active: 'hash-1', before, isSettled: false },
  ).createLimit;
  t.deepEqual([limit(BLUE) >= 2, limit([...BLUE, ...stopping])], [true, 1]);
});
