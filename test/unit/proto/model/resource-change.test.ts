import test from 'ava';
import { changeResources } from '#model/resource-change.ts';
import type { ResourceChange, TaskResources } from '#model/resources.ts';

const BEFORE: TaskResources = { requests: { milliCpu: 100, memoryBytes: 64 }, limits: { milliCpu: 500, memoryBytes: 64, pids: 10, cpuset: '0', swapBytes: 8, storageBytes: 2 ** 20, hugepages: [{ pageBytes: 2, bytes: 4 }], io: { weight: 100, readBps: 4096 } } };

const makes = test.macro({
  exec(t, change: ResourceChange, expected: object) { t.deepEqual(changeResources(BEFORE, change), { ...BEFORE, ...expected }); },
  title: (name = '') => `changeResources: ${name}`,
});
const { limits, requests } = BEFORE;
const { milliCpu: _cpu, ...noCpu } = limits;
const { cpuset: _cpuset, ...noCpuset } = limits;
const { swapBytes: _swap, ...noSwap } = limits;
test('nothing', makes, {}, {});
test('a request that was the limit goes with it, another stays', makes, { memoryBytes: 128, milliCpu: 700 }, { limits: { ...limits, memoryBytes: 128, milliCpu: 700 }, requests: { ...requests, memoryBytes: 128 } });
test('a request that is named is what is named', makes, { memoryBytes: 128, requestMemoryBytes: 32, requestMilliCpu: 5 }, { limits: { ...limits, memoryBytes: 128 }, requests: { milliCpu: 5, memoryBytes: 32 } });
test('0 cpus is no limit', makes, { milliCpu: 0 }, { limits: noCpu });
test('an empty cpuset is all cpus', makes, { cpuset: '' }, { limits: noCpuset });
test('no swap', makes, { swapBytes: 0 }, { limits: noSwap });
test('one io limit goes, another comes', makes, { io: { readBps: 0, writeIops: 7 } }, { limits: { ...limits, io: { weight: 100, writeIops: 7 } } });
test('a limit of cpus that was the request', t => {
  t.deepEqual(changeResources({ requests: { milliCpu: 500, memoryBytes: 1 }, limits: { milliCpu: 500, memoryBytes: 2, pids: 1 } }, { milliCpu: 250 }).requests, { milliCpu: 250, memoryBytes: 1 });
});
