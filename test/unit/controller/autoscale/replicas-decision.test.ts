import test from 'ava';
import type { AutoscaleSpec } from '#model/service.ts';
import { decideReplicas } from '../../../../controller/autoscale/replicas-decision.ts';
import type { Reading, ReplicasDecision, ReplicasInput } from '../../../../controller/autoscale/replicas-decision.ts';
import { T0 } from '../../../support/builders.ts';

const SPEC: AutoscaleSpec = { min: 1, max: 20, cpuPercent: 50, stabilizationMs: 0, upStabilizationMs: 0 };
const use = (percents: readonly number[], more: Partial<Extract<Reading, { readonly kind: 'use' }>> = {}): Reading =>
  ({ kind: 'use', name: 'cpu', targetPercent: 50, percents, unknownCount: 0, unreadyCount: 0, ...more });
const metric = (value: number, target = 10): Reading => ({ kind: 'metric', target, value });
const missing: Reading = { kind: 'missing', problem: 'the metric is not known: no answer' };
const look = (current: number, readings: readonly Reading[], more: Partial<ReplicasInput> = {}): ReplicasDecision =>
  decideReplicas({ spec: SPEC, current, readings, wishes: [], nowMs: T0, ...more });

const decides = test.macro({
  exec(t, current: number, readings: readonly Reading[], replicas: number, spec: Partial<AutoscaleSpec> = {}) {
    t.is(look(current, readings, { spec: { ...SPEC, ...spec } }).replicas, replicas);
  },
  title: (name = '') => `decideReplicas: ${name}`,
});

test('as much as is aimed at changes nothing', decides, 2, [use([50, 50])], 2);
test('twice as much takes twice as many', decides, 2, [use([120, 80])], 4);
test('half as much takes half as many', decides, 4, [use([25, 25, 25, 25])], 2);
test('a part of a replica is a whole one', decides, 3, [use([60, 60, 60])], 4);
test('a tenth above is near enough', decides, 2, [use([55, 55])], 2);
test('more than a tenth above is not', decides, 2, [use([56, 56])], 3);
test('a tenth below is near enough', decides, 10, [use(Array<number>(10).fill(45))], 10);
test('more than a tenth below is not', decides, 10, [use(Array<number>(10).fill(44))], 9);
test('of two measures the one that asks for more', decides, 2, [use([50, 50]), use([100, 100], { name: 'memory' })], 4);
test('never more than its most', decides, 6, [use(Array<number>(6).fill(100))], 8, { max: 8 });
test('never less than its least', decides, 4, [use([0, 0, 0, 0])], 2, { min: 2 });
test('one look doubles a large one at most', decides, 6, [use(Array<number>(6).fill(400))], 12);
test('one look adds four to a small one at most', decides, 1, [use([900])], 5);

test('a task of which nothing is known uses nothing on the way up', decides, 3, [use([120, 120], { unknownCount: 1 })], 5);
test('and all that it may on the way down', decides, 3, [use([10, 10], { unknownCount: 1 })], 3);
test('a task that warms up uses nothing on the way up', decides, 3, [use([150], { unreadyCount: 2 })], 3);
test('and what is aimed at on the way down', decides, 3, [use([20, 20], { unreadyCount: 1 })], 2);
test('what was made for a load is not taken away before it takes its share', decides, 3, [use([36], { unreadyCount: 2 })], 3);
test('what warms up alone says nothing', decides, 3, [use([], { unreadyCount: 3 })], 3);
test('what is unknown never turns the direction', decides, 2, [use([60], { unknownCount: 1 })], 2);

test('a metric is shared among the replicas', decides, 2, [metric(45)], 5);
test('a metric near its target changes nothing', decides, 4, [metric(43)], 4);
test('nothing to do and at least none: none', decides, 3, [metric(0)], 0, { min: 0 });
test('nothing to do and at least one: one', decides, 3, [metric(0)], 1);
test('a metric below nothing is nothing', decides, 1, [metric(-5)], 0, { min: 0 });
test('from none, the first thing to do', decides, 0, [metric(0.1)], 1, { min: 0 });
test('from none, four at a look', decides, 0, [metric(90)], 4, { min: 0 });
test('none stays none while there is nothing to do', decides, 0, [metric(0)], 0, { min: 0 });

test('nothing measured changes nothing', decides, 5, [missing], 5);
test('nothing measured does not bring anything up from none', decides, 0, [missing], 0, { min: 0 });
test('a measure that is missing keeps it from shrinking', decides, 5, [use([10, 10, 10, 10, 10]), missing], 5);
test('a measure that is missing does not keep it from growing', decides, 2, [use([100, 100]), missing], 4);

test('the reason is what asks for the most', t => {
  t.is(look(2, [use([100, 100]), metric(10)]).reason, 'cpu is 100% of what is requested, 50% is aimed at');
  t.is(look(2, [use([50, 50]), metric(101.23)]).reason, 'the metric is 101, 10 for each replica');
});

test('what is missing is told, also where it decides nothing', t => {
  t.is(look(2, [use([100, 100]), missing]).problem, 'the metric is not known: no answer');
  t.is(look(2, [use([100, 100])]).problem, undefined);
});

/** Looks each 15 s, each with the wanted number of its turn: what is in force after each. */
function follow(spec: Partial<AutoscaleSpec>, begin: number, wanted: readonly number[], wishes: { readonly value: ReplicasDecision['wishes'] }[] = []): readonly number[] {
  let [current, known] = [begin, [] as ReplicasDecision['wishes']];
  return wanted.map((count, turn) => {
    const decision = look(current, [metric(count * 10)], { spec: { ...SPEC, ...spec }, wishes: known, nowMs: T0 + turn * 15_000 });
    [current, known] = [decision.replicas, decision.wishes];
    wishes.push({ value: known });
    return current;
  });
}

test('it comes down only to the most that was wanted in the time', t => {
  t.deepEqual(follow({ stabilizationMs: 60_000 }, 8, [8, 2, 2, 4, 2, 2, 2, 2, 2, 2]), [8, 8, 8, 8, 8, 8, 4, 4, 2, 2]);
});

test('it goes up only to the least that was wanted in the time', t => {
  t.deepEqual(follow({ upStabilizationMs: 60_000 }, 2, [4, 4, 3, 4, 4, 4, 4, 4]), [2, 2, 2, 2, 3, 3, 4, 4]);
});

test('a time that is shorter than the interval of measurements delays a change by one measurement', t => {
  t.deepEqual(follow({ stabilizationMs: 3_000 }, 8, [8, 2, 2, 2]), [8, 8, 2, 2]);
  t.deepEqual(follow({ stabilizationMs: 3_000 }, 8, [2, 4, 2, 3]), [8, 4, 4, 3]);
  t.deepEqual(follow({ upStabilizationMs: 3_000 }, 2, [2, 4, 4]), [2, 2, 4]);
  t.deepEqual(follow({ stabilizationMs: 14_000 }, 8, [8, 2, 2]), [8, 8, 2]);
});

test('without a time down it comes down at once', t => {
  t.deepEqual(follow({}, 8, [2, 8]), [2, 6]);
});

test('a steady state remembers nothing, and neither does what came to rest', t => {
  const wishes: { readonly value: ReplicasDecision['wishes'] }[] = [];
  follow({ stabilizationMs: 60_000 }, 3, [3, 3, 6, 6, 6, 6, 6, 6], wishes);
  t.deepEqual(wishes.map(one => one.value.length > 0), [false, false, true, true, true, true, false, false]);
});

test('wishes are told apart by tenths of the time, however often one looks', t => {
  let [known, most] = [[] as ReplicasDecision['wishes'], 0];
  for (let turn = 0; turn < 1_000; turn += 1) {
    known = look(8, [metric(turn % 2 === 0 ? 20 : 40)], { spec: { ...SPEC, stabilizationMs: 300_000 }, wishes: known, nowMs: T0 + turn * 1_000 }).wishes;
    most = Math.max(most, known.length);
  }
  t.true(most <= 11, String(most));
});

test('a leader without what was wanted waits the whole time from its first look on', t => {
  const spec = { ...SPEC, stabilizationMs: 60_000 };
  const first = look(8, [metric(20)], { spec });
  t.is(first.replicas, 8);
  t.is(look(8, [metric(20)], { spec, wishes: first.wishes, nowMs: T0 + 59_000 }).replicas, 8);
  t.is(look(8, [metric(20)], { spec, wishes: first.wishes, nowMs: T0 + 66_000 }).replicas, 8, 'what was forgotten begins anew');
});

test('a clock that was set back does not hold it for longer than the time', t => {
  const spec = { ...SPEC, stabilizationMs: 60_000 };
  const { wishes } = look(8, [metric(20)], { spec, nowMs: T0 + 3_600_000 });
  t.deepEqual(look(8, [missing], { spec, wishes, nowMs: T0 }).wishes, []);
});
