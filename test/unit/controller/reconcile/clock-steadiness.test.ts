import test from 'ava';
import { nextSteadiness } from '../../../../controller/reconcile/clock-steadiness.ts';

test('steady from the first look on, also while it is corrected little by little', t => {
  let known = nextSteadiness(undefined, { nowMs: 10_000, monotonicMs: 0 });
  for (let look = 1; look <= 10; look += 1) known = nextSteadiness(known, { nowMs: 10_000 + look * 1_900, monotonicMs: look * 1_000 });
  t.is(known.sinceMs, 10_000);
});

test('a clock that jumps, forward or back, is steady anew from there', t => {
  const first = nextSteadiness(undefined, { nowMs: 10_000, monotonicMs: 0 });
  t.is(nextSteadiness(first, { nowMs: 3_610_000, monotonicMs: 250 }).sinceMs, 3_610_000);
  t.is(nextSteadiness(first, { nowMs: 5_000, monotonicMs: 250 }).sinceMs, 5_000);
  t.is(nextSteadiness(first, { nowMs: 3_610_000, monotonicMs: 3_600_000 }).sinceMs, 10_000, 'time that passed is no jump');
});
