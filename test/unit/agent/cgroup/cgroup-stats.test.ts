import test from 'ava';
import { parseUsage } from '../../../../agent/cgroup/cgroup-stats.ts';

test('v1: nanoseconds, page cache left out', t => {
  t.deepEqual(parseUsage(1, {
    cpu: '1234567\n', memory: '9000\n', memoryStat: 'inactive_file 1\ntotal_inactive_file 4000\n', memoryLimit: '67108864\n', processes: '3\n',
    oom: 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
  }), { cpuMicroseconds: 1235, memoryBytes: 5000, memoryLimitBytes: 67108864, processes: 3, oomKills: 2 });
});
test('v2: microseconds; max is no limit', t => {
  t.deepEqual(parseUsage(2, {
    cpu: 'usage_usec 77\nuser_usec 70\n', memory: '9000', memoryStat: 'anon 5000\ninactive_file 4000\n', memoryLimit: 'max\n', processes: '1', oom: 'low 0\noom 1\noom_kill 1\n',
  }), { cpuMicroseconds: 77, memoryBytes: 5000, memoryLimitBytes: 0, processes: 1, oomKills: 1 });
});
test('files that are gone count nothing; never below zero', t => {
  t.deepEqual(parseUsage(2, { memory: '5', memoryStat: 'inactive_file 9\n' }), { cpuMicroseconds: 0, memoryBytes: 0, memoryLimitBytes: 0, processes: 0, oomKills: 0 });
});
