import test from 'ava';
import { simulate } from './simulation.ts';

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
  test(`seed ${String(seed)}: no violation, and the same actions when every map is in reverse order`, t => {
    const report = simulate(seed, { isShuffled: false });
    t.deepEqual(report.violations, []);
    t.is(simulate(seed, { isShuffled: true }).traceHash, report.traceHash);
    t.true(report.actions.size > 5);
  });
}
