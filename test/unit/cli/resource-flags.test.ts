import test from 'ava';
import type { ResourceChange } from '#model/resources.ts';
import { changeFor, readResourceFlags } from '../../../cli/resource-flags.ts';
import type { ResourceFlags } from '../../../cli/resource-flags.ts';
import { MIB } from '../../support/builders.ts';

const HELD = 64 * MIB;

const asks = test.macro({
  exec(t, flags: ResourceFlags, expected: ResourceChange) { t.deepEqual(changeFor(readResourceFlags(flags), HELD), expected); },
  title: (_, flags: ResourceFlags) => `update ${JSON.stringify(flags)}`,
});
test(asks, { cpus: '1.5', memory: '256Mi' }, { milliCpu: 1_500, memoryBytes: 256 * MIB });
test(asks, { cpus: '0' }, { milliCpu: 0 });
test(asks, { cpusetCpus: '3,0-1' }, { cpuset: '0-1,3' });
test(asks, { cpusetCpus: '' }, { cpuset: '' });
test(asks, { pidsLimit: '100', requestCpus: '50m', requestMemory: '32Mi' }, { pids: 100, requestMilliCpu: 50, requestMemoryBytes: 32 * MIB });
test(asks, { blkioWeight: '200', readBps: '1Mi', writeBps: '0', readIops: '10', writeIops: '20' }, { io: { weight: 200, readBps: MIB, writeBps: 0, readIops: 10, writeIops: 20 } });
test('--memory-swap beside --memory', asks, { memory: '128Mi', memorySwap: '192Mi' }, { memoryBytes: 128 * MIB, swapBytes: 64 * MIB });
test('--memory-swap over the memory held to now', asks, { memorySwap: '96Mi' }, { swapBytes: 32 * MIB });
test('--memory-swap as much as the memory: no swap', asks, { memorySwap: '64Mi' }, { swapBytes: 0 });

for (const [flags, message] of [
  [{}, /^nothing to change; give --memory/],
  [{ memory: '10X' }, /^--memory: unknown unit 'X'; use Ki/],
  [{ memory: '512m' }, /^--memory: '512m' has two readings/],
  [{ cpus: 'many' }, /^--cpus: 'many' is not a number of cpus/],
  [{ cpusetCpus: 'a' }, /^--cpuset-cpus: 'a' is not a list of cpus/],
  [{ pidsLimit: '-1' }, /^--pids-limit must be 0\.\.1000000000, got '-1'/],
  [{ memorySwap: '-1' }, /^--memory-swap: '-1' is negative/],
  [{ memorySwap: '32Mi' }, /^--memory-swap is memory and swap together: at least the memory, 67108864 bytes/],
] as const) {
  test(`update refuses ${JSON.stringify(flags)}`, t => {
    t.regex(t.throws(() => changeFor(readResourceFlags(flags), HELD)).message, message);
  });
}
