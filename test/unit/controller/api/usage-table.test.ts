import test from 'ava';
import type { UsageSample } from '#model/usage.ts';
import { UsageTable } from '../../../../controller/api/usage-table.ts';
import { parseNodeId } from '#model/ids.ts';
import { T0, taskId } from '../../../support/builders.ts';

const A = taskId('a');
const B = taskId('b');
const always = (): boolean => true;

function sample(change: Partial<UsageSample> = {}): UsageSample {
  return { node: parseNodeId('n1'), task: A, atMs: T0, cpuMicroseconds: 1_000_000, memoryBytes: 5, memoryLimitBytes: 10, processes: 1, networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0, ...change };
}

test('cpu is known from the second sample on: half a core for 2 s is 500', t => {
  const table = new UsageTable();
  table.add(sample(), 0);
  t.deepEqual(table.recent(always, 0), [{ sample: sample() }]);
  const second = sample({ atMs: T0 + 2_000, cpuMicroseconds: 2_000_000 });
  table.add(second, 2_000);
  t.deepEqual(table.recent(always, 2_000), [{ sample: second, milliCpu: 500 }]);
});

for (const [what, next] of [
  ['a container that began anew', { atMs: T0 + 2_000, cpuMicroseconds: 10 }],
  ['a clock that stands', { cpuMicroseconds: 1_500_000 }],
  ['a clock that went back', { atMs: T0 - 1, cpuMicroseconds: 1_500_000 }],
  ['another node', { node: parseNodeId('n2'), atMs: T0 + 2_000, cpuMicroseconds: 1_500_000 }],
] as const) {
  test(`cpu is not known after ${what}`, t => {
    const table = new UsageTable();
    table.add(sample(), 0);
    table.add(sample(next), 2_000);
    t.deepEqual(table.recent(always, 2_000), [{ sample: sample(next) }]);
  });
}

test('a sample is forgotten after 10 s, by our clock', t => {
  const table = new UsageTable();
  table.add(sample({ atMs: T0 - 3_600_000 }), 1_000);
  t.is(table.recent(always, 11_000).length, 1);
  t.is(table.recent(always, 11_001).length, 0);
  table.add(sample({ atMs: T0, cpuMicroseconds: 9_000_000 }), 11_002);
  t.is(table.recent(always, 11_002)[0]?.milliCpu, undefined, 'nothing of it is left to compare with');
});

test('a task that is gone is not shown', t => {
  const table = new UsageTable();
  table.add(sample(), 0);
  table.add(sample({ task: B }), 0);
  t.deepEqual(table.recent(task => task === B, 1).map(one => one.sample.task), [B]);
});
