import test from 'ava';
import { countSilence, gapMs, mayAcknowledge, newCounter } from '../../../../controller/reconcile/liveness.ts';
import type { LivenessEvent } from '../../../../controller/reconcile/liveness.ts';
import { DEFAULT_TIMES } from '#model/times.ts';

type Step = readonly [atMs: number, event: LivenessEvent];
const { lostMs, leaseMs, stallMs } = DEFAULT_TIMES;
const tick: LivenessEvent = { kind: 'tick' };
const reset: LivenessEvent = { kind: 'reset' };
const gap = (lengthMs: number): LivenessEvent => ({ kind: 'gap', lengthMs });
const beat = (ackEcho: number, lastAckSent = ackEcho): LivenessEvent => ({ kind: 'heartbeat', ackEcho, lastAckSent });

/** Transitions of a node heard first at 0, with the time of each. */
function transitions(steps: readonly Step[]): readonly (readonly [number, string])[] {
  let counter = newCounter(0, false);
  return steps.flatMap(([atMs, event]) => {
    const step = countSilence(counter, event, atMs, lostMs);
    counter = step.counter;
    return step.transition === undefined ? [] : [[atMs, step.transition] as const];
  });
}

const counts = test.macro({
  exec(t, steps: readonly Step[], expected: readonly (readonly [number, string])[]) {
    t.deepEqual(transitions(steps), expected);
  },
  title: (name = '') => `countSilence: ${name}`,
});
test('one moment before LOST a node is not silent', counts, [[19_999, tick]], []);
test('at LOST it is, once', counts, [[20_000, tick], [21_000, tick], [40_000, tick]], [[20_000, 'silent']]);
test('D1: cut off for LOST/2 it never turns silent', counts, [[2_000, beat(1)], [12_000, tick], [12_001, beat(2)], [31_000, tick]], []);
test('a heartbeat brings it back, once', counts, [[20_000, tick], [22_000, beat(1)], [24_000, beat(2)]], [[20_000, 'silent'], [22_000, 'back']]);
test('a new session brings it back', counts, [[20_000, tick], [25_000, { kind: 'open' }]], [[20_000, 'silent'], [25_000, 'back']]);
test('D4: what the controller does not hear is silence', counts, [[2_000, beat(1)], [22_000, tick]], [[22_000, 'silent']]);
test('D5: an echo that stops rising while acknowledgements go out is silence, heartbeats or not', counts,
  [[2_000, beat(1, 1)], [8_000, beat(1, 4)], [14_000, beat(1, 7)], [22_000, beat(1, 11)]], [[22_000, 'silent']]);
test('D5: it is back when the echo rises again', counts, [[2_000, beat(1, 1)], [22_000, beat(1, 11)], [24_000, beat(9, 12)]], [[22_000, 'silent'], [24_000, 'back']]);
test('an echo stands still where no acknowledgement was sent: that is not silence', counts, [[2_000, beat(3)], [22_000, beat(3)], [41_000, beat(3)]], []);
test('after a new session lower echoes count again', counts, [[1_000, beat(50)], [2_000, { kind: 'open' }], [15_000, beat(1, 2)], [34_000, tick]], []);
test('A7: time in which we stood still is no silence', counts, [[10_000, tick], [50_000, gap(40_000)], [59_999, tick]], []);
test('A7: what was counted before it stays', counts, [[10_000, tick], [50_000, gap(40_000)], [60_000, tick]], [[60_000, 'silent']]);
test('a gap before which it was heard is not counted beyond now', counts, [[10_000, beat(1)], [10_000, gap(40_000)], [29_999, tick], [30_000, tick]], [[30_000, 'silent']]);
test('one that stands still 3 s of each 15 s counts the other 12', counts, [[12_000, tick], [15_000, gap(3_000)], [22_999, tick], [23_000, tick]], [[23_000, 'silent']]);
test('a reset after etcd was away gives the full LOST again', counts, [[30_000, reset], [49_999, tick]], []);
test('and no more than that', counts, [[30_000, reset], [50_000, tick]], [[50_000, 'silent']]);
test('a reset brings nobody back', counts, [[20_000, tick], [30_000, reset], [49_000, tick]], [[20_000, 'silent']]);

const gaps = test.macro({
  exec(t, passedMs: number, expected: number) {
    t.is(gapMs(1_000, 1_000 + passedMs, { intervalMs: 500, stallMs }), expected);
  },
  title: (_, passedMs: number, expected: number) => `of a turn ${String(passedMs)} ms after the last one ${String(expected)} ms are no silence`,
});
test(gaps, 500, 0);
test(gaps, 2_500, 0);
test(gaps, 2_501, 2_501);

test('heartbeats are acknowledged up to two thirds of LEASE after the last renewal', t => {
  t.true(mayAcknowledge(0, 6_666, leaseMs));
  t.false(mayAcknowledge(0, 6_667, leaseMs));
});
