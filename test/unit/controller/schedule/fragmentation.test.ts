import test from 'ava';
import { fragmentation, packRank, unitsAfter } from '../../../../controller/schedule/fragmentation.ts';
import { chooseUnits } from '#model/device-share.ts';
import { fc } from '../../../support/property.ts';
import { idleByBestFit, idleByGpuPacking } from '../../../support/gpu-policies.ts';
import { placeGpuRequests } from '../../../support/gpu-placing.ts';
import { GPU_MIXES, gpuMachines, gpuRequests } from '../../../support/gpu-trace.ts';

const whole = { device: 'gpu', count: 1, milli: 1_000, milliCpu: 1_000, memoryBytes: 1, weight: 0.5 };
const half = { ...whole, milli: 500 };
const room = { milliCpu: 4_000, memoryBytes: 4 };

test('free shares that are too small for a class are useless for it, and all are where cpu is short', t => {
  t.is(fragmentation([1_000, 600, 200], 'gpu', [whole, half], room), 0.5 * 800 + 0.5 * 200);
  t.is(fragmentation([600, 600], 'gpu', [whole], room), 0.5 * 1_200, 'no unit is whole');
  t.is(fragmentation([1_000], 'gpu', [whole], { ...room, milliCpu: 999 }), 0.5 * 1_000);
  t.is(fragmentation([1_000], 'gpu', [{ ...whole, device: 'fpga', count: 9 }], room), 0, 'another device');
});

test('ranks: what becomes useless, then an idle node, then an idle unit for a share, then the fuller node', t => {
  const ranks = [packRank([500, 0], [0, 0], 0), packRank([500, 1_000], [0, 1_000], 0), packRank([0, 1_000], [0, 500], 0), packRank([1_000, 1_000], [1_000, 0], 0), packRank([500, 0], [0, 0], 1)];
  t.deepEqual(ranks, [...ranks].sort((left, right) => left - right));
});

test('the units that are ranked are the units that are taken', t => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 8 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 8 }), (eighths, count, milliEighths) => {
    const [units, milli, name] = [eighths.map(one => one * 125), milliEighths * 125, 'gpu'];
    const chosen = chooseUnits(units, { name, count, milli });
    t.deepEqual(unitsAfter(units, { name, count, milli }), chosen === undefined ? undefined : units.map((left, unit) => (chosen.includes(unit) ? left - milli : left)));
  }));
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
