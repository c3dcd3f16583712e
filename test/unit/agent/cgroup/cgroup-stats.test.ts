import test from 'ava';
import { parsePressure, parseUsage } from '../../../../agent/cgroup/cgroup-stats.ts';

const PRESSURE = 'some avg10=0.00 avg60=0.10 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n';

test('v1: nanoseconds, page cache left out', t => {
  t.deepEqual(parseUsage(1, {
    cpu: '1234567\n', memory: '9000\n', memoryStat: 'inactive_file 1\ntotal_inactive_file 4000\n', memoryLimit: '67108864\n', processes: '3\n',
    oom: 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
    io: '254:0 Read 4096\n254:0 Write 8192\n254:0 Total 12288\n8:0 Read 4\nTotal 12292\n',
  }), { cpuMicroseconds: 1235, memoryBytes: 5000, memoryLimitBytes: 67108864, processes: 3, oomKills: 2, ioReadBytes: 4100, ioWriteBytes: 8192 });
});
test('v2: microseconds; max is no limit', t => {
  t.deepEqual(parseUsage(2, {
    cpu: 'usage_usec 77\nuser_usec 70\n', memory: '9000', memoryStat: 'anon 5000\ninactive_file 4000\n', memoryLimit: 'max\n', processes: '1', oom: 'low 0\noom 1\noom_kill 1\n',
    io: '254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n8:0 rbytes=1 wbytes=2\n', cpuPressure: PRESSURE, memoryPressure: PRESSURE, ioPressure: PRESSURE,
  }), { cpuMicroseconds: 77, memoryBytes: 5000, memoryLimitBytes: 0, processes: 1, oomKills: 1, ioReadBytes: 11, ioWriteBytes: 22, pressure: { cpu: 77, memory: 77, io: 77 } });
});
test('files that are gone count nothing; never below zero', t => {
  t.deepEqual(parseUsage(2, { memory: '5', memoryStat: 'inactive_file 9\n' }), { cpuMicroseconds: 0, memoryBytes: 0, memoryLimitBytes: 0, processes: 0, oomKills: 0, ioReadBytes: 0, ioWriteBytes: 0 });
});
test('a kernel without pressure has none', t => {
  t.is(parsePressure(undefined), undefined);
  t.is(parsePressure(''), undefined);
  t.is(parsePressure(PRESSURE), 77);
});
