import test from 'ava';
import { fragmentation, packRank } from '../../../../controller/schedule/fragmentation.ts';
import { UnitShape } from '../../../../controller/schedule/unit-shape.ts';
import { idleByBestFit, idleByGpuPacking } from '../../../support/gpu-policies.ts';
import { placeGpuRequests } from '../../../support/gpu-placing.ts';
import { GPU_MIXES, gpuMachines, gpuRequests } from '../../../support/gpu-trace.ts';

const whole = { device: 'gpu', count: 1, milli: 1_000, milliCpu: 1_000, memoryBytes: 1, weight: 0.5 };
const half = { ...whole, milli: 500 };
const room = { milliCpu: 4_000, memoryBytes: 4 };

test('free shares that are too small for a class are useless for it, and all are where cpu is short', t => {
  t.is(fragmentation(new UnitShape([1_000, 600, 200]), 'gpu', [whole, half], room), 0.5 * 800 + 0.5 * 200);
  t.is(fragmentation(new UnitShape([600, 600]), 'gpu', [whole], room), 0.5 * 1_200, 'no unit is whole');
  t.is(fragmentation(new UnitShape([1_000]), 'gpu', [whole], { ...room, milliCpu: 999 }), 0.5 * 1_000);
  t.is(fragmentation(new UnitShape([1_000]), 'gpu', [{ ...whole, device: 'fpga', count: 9 }], room), 0, 'another device');
});

test('ranks: what becomes useless, then an idle node, then an idle unit for a share, then the fuller node', t => {
  const rank = (units: readonly number[], growth = 0, opens = false): number => packRank(new UnitShape(units), growth, opens);
  const ranks = [rank([500, 0]), rank([500, 1_000]), rank([0, 1_000], 0, true), rank([1_000, 1_000]), rank([500, 0], 1)];
  t.deepEqual(ranks, [...ranks].sort((left, right) => left - right));
});

for (const mix of GPU_MIXES) {
  test(`GPU requests of the mix ${mix.name} leave no more GPUs idle over three clusters than the better reference policy`, t => {
    const sums = { ours: 0, packing: 0, bestFit: 0 };
    for (const seed of [1, 2, 3]) {
      const machines = gpuMachines(100, seed);
      const requests = gpuRequests(machines, mix, { demand: 1.3, seed: seed + 20 });
      sums.ours += placeGpuRequests(machines, requests).idleGpus;
      sums.packing += idleByGpuPacking(machines, requests);
      sums.bestFit += idleByBestFit(machines, requests);
    }
    t.true(sums.ours <= Math.min(sums.packing, sums.bestFit), JSON.stringify(sums));
  });
}
