import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { milliCpuBetween } from '#model/usage-rate.ts';
import type { UsageSample } from '#model/usage.ts';
import { T0, taskId } from '../../../support/builders.ts';

function sample(afterMs: number, cpuMicroseconds: number, node = 'n1'): UsageSample {
  return {
    node: parseNodeId(node), task: taskId('web'), atMs: T0 + afterMs, cpuMicroseconds, memoryBytes: 1, memoryLimitBytes: 0, processes: 1,
    networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0,
  };
}

for (const [what, earlier, later, expected] of [
  ['a whole core', sample(0, 5), sample(1_000, 1_000_005), 1_000],
  ['a fifth of one', sample(0, 0), sample(2_000, 400_000), 200],
  ['nothing', sample(0, 7), sample(1_000, 7), 0],
  ['not known of the first sample', undefined, sample(0, 7), undefined],
  ['not known after a restart, which counts anew', sample(0, 7), sample(1_000, 6), undefined],
  ['not known of another node', sample(0, 7), sample(1_000, 8, 'n2'), undefined],
  ['not known when the clock stood still', sample(0, 7), sample(0, 8), undefined],
] as const) {
  test(`cpu between two samples: ${what}`, t => { t.is(milliCpuBetween(earlier, later), expected); });
}
