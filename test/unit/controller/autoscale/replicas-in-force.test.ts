import test from 'ava';
import { replicasInForce } from '../../../../controller/autoscale/replicas-in-force.ts';

const autoscale = { min: 2, max: 5, cpuPercent: 50, stabilizationMs: 0, upStabilizationMs: 0 };
const scaledTo = (replicas: number) => ({ autoscale: { replicas, changedAtMs: 0, reason: '', wishes: [] } });

test('a service that does not scale has its own number, whatever was scaled before', t => {
  t.is(replicasInForce({ replicas: 3 }, scaledTo(9)), 3);
});

test('one that scales begins with its own number', t => {
  t.is(replicasInForce({ replicas: 3, autoscale }, undefined), 3);
});

test('what it was scaled to counts, within the limits of its manifest now', t => {
  t.deepEqual([1, 4, 9].map(replicas => replicasInForce({ replicas: 3, autoscale }, scaledTo(replicas))), [2, 4, 5]);
});
