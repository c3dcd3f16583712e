import test from 'ava';
import { parseNodeId, parseTaskId } from '#model/ids.ts';
import { coresBetween, usageSample } from '../../../../agent/usage/usage-sample.ts';

const OWNER = { node: parseNodeId('n1'), task: parseTaskId('abcdefghijkl') };
const USAGE = { cpuMicroseconds: 500, memoryBytes: 10, memoryLimitBytes: 100, processes: 3, oomKills: 0 };

test('a sample is what the container uses, and whose it is', t => {
  t.deepEqual(usageSample(OWNER, USAGE, 7, 1000), { ...OWNER, atMs: 7, cpuMicroseconds: 500, memoryBytes: 10, memoryLimitBytes: 100, processes: 3 });
});
test('a limit above the machine is none', t => {
  t.is(usageSample(OWNER, { ...USAGE, memoryLimitBytes: 1001 }, 7, 1000).memoryLimitBytes, 0);
  t.is(usageSample(OWNER, { ...USAGE, memoryLimitBytes: 1000 }, 7, 1000).memoryLimitBytes, 1000);
});

const cores = test.macro({
  exec(t, cpu: number, atMs: number, expected: number | undefined) {
    t.is(coresBetween(usageSample(OWNER, USAGE, 1000, 1), usageSample(OWNER, { ...USAGE, cpuMicroseconds: cpu }, atMs, 1)), expected);
  },
  title: (name = '') => `cores: ${name}`,
});
test('half a core', cores, 500_500, 2000, 0.5);
test('idle', cores, 500, 2000, 0);
test('a counter that went back is another attempt', cores, 499, 2000, undefined);
test('the same moment says nothing', cores, 600, 1000, undefined);
