import test from 'ava';
import { countSilence, mayAcknowledge, newCounter, turnKind } from '../../../../controller/reconcile/liveness.ts';
import type { LivenessEvent } from '../../../../controller/reconcile/liveness.ts';
import { DEFAULT_TIMES } from '#model/times.ts';

type Step = readonly [atMs: number, event: LivenessEvent];
const { lostMs, leaseMs, stallMs } = DEFAULT_TIMES;
const tick: LivenessEvent = { kind: 'tick' };
const reset: LivenessEvent = { kind: 'reset' };
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
test('A7: a reset after a stall gives the full LOST again', counts, [[30_000, reset], [49_999, tick]], []);
test('A7: and no more than that', counts, [[30_000, reset], [50_000, tick]], [[50_000, 'silent']]);
test('a reset brings nobody back', counts, [[20_000, tick], [30_000, reset], [49_000, tick]], [[20_000, 'silent']]);

const turns = test.macro({
  exec(t, gapMs: number, expected: 'tick' | 'reset') {
    t.is(turnKind(1_000, 1_000 + gapMs, { intervalMs: 500, stallMs }), expected);
  },
  title: (_, gapMs: number, expected: string) => `a turn ${String(gapMs)} ms after the last one is a ${expected}`,
});
test(turns, 500, 'tick');
test(turns, 2_500, 'tick');
test(turns, 2_501, 'reset');

test('heartbeats are acknowledged up to two thirds of LEASE after the last renewal', t => {
  t.true(mayAcknowledge(0, 6_666, leaseMs));
  t.false(mayAcknowledge(0, 6_667, leaseMs));
});
