import test from 'ava';
import { FRESH_PACE, paceAfter } from '../../../../proto/kit/pace.ts';

const RULE = { quickCount: 4, intervalMs: 40, leastMs: 2 };

/** Pauses after each of `count` that come as soon as they may. */
function pauses(count: number): readonly number[] {
  let [pace, nowMs] = [FRESH_PACE, 0];
  return Array.from({ length: count }, () => {
    const next = paceAfter(pace, nowMs, RULE);
    pace = next.pace;
    nowMs += next.pauseMs;
    return next.pauseMs;
  });
}

test('a few follow each other at once, then one each interval', t => {
  t.deepEqual(pauses(8), [2, 2, 2, 2, 32, 40, 40, 40]);
});

test('after a quiet time they are quick again', t => {
  const { pace } = paceAfter(FRESH_PACE, 0, RULE);
  t.is(paceAfter(pace, 10_000, RULE).pauseMs, 2);
});
