import test from 'ava';
import { FRESH_PACE, paceAfterBeat } from '../../../agent/beat-pace.ts';

/** Pauses after each of `count` beats that come as soon as they may. */
function pauses(count: number): readonly number[] {
  let [pace, nowMs] = [FRESH_PACE, 0];
  return Array.from({ length: count }, () => {
    const next = paceAfterBeat(pace, nowMs);
    pace = next.pace;
    nowMs += next.pauseMs;
    return next.pauseMs;
  });
}

test('a few beats follow each other at once, then one each 40 ms', t => {
  t.deepEqual(pauses(8), [2, 2, 2, 2, 32, 40, 40, 40]);
});

test('after a quiet time they are quick again', t => {
  const { pace } = paceAfterBeat(FRESH_PACE, 0);
  t.is(paceAfterBeat(pace, 10_000).pauseMs, 2);
});
