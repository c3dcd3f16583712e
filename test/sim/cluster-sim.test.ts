import test from 'ava';
import { simulateCluster } from './cluster-sim.ts';
import { scheduleOf } from './sim-schedule.ts';
import { kindOf } from './sim-shrink.ts';

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) {
  test(`seed ${String(seed)}: the whole control plane keeps every invariant`, async t => {
    const report = await simulateCluster(scheduleOf(seed));
    t.deepEqual(report.violations, [], `npm run sim -- --seed ${String(seed)}`);
    t.true((report.reached.get('container started') ?? 0) > 5);
  });
}

test('the same schedule twice gives the same trace, another seed another', async t => {
  const { traceHash } = await simulateCluster(scheduleOf(16));
  t.is((await simulateCluster(scheduleOf(16))).traceHash, traceHash);
  t.not((await simulateCluster(scheduleOf(28))).traceHash, traceHash);
});

test('a failure is named by its invariant', t => {
  const report = { seed: 1, traceHash: '', reached: new Map(), violations: ['at 12 ms: I11: two'] };
  t.is(kindOf(report), 'I11');
  t.is(kindOf({ ...report, violations: [] }), undefined);
});
