import test from 'ava';
import type { Limits } from '#model/resources.ts';
import type { CgroupLayout } from '../../../../agent/cgroup/cgroup-files.ts';
import { cpuQuota, cpuShares, cpuWeight, limitFiles } from '../../../../agent/cgroup/limit-files.ts';
import type { LimitContext } from '../../../../agent/cgroup/limit-files.ts';
import { golden } from '../../../support/golden.ts';

const MIB = 2 ** 20;
const V1: CgroupLayout = { version: 1, roots: new Map(['cpu', 'cpuset', 'memory', 'pids', 'blkio', 'hugetlb'].map(name => [name, `/sys/fs/cgroup/${name}`])) };
const V2: CgroupLayout = { version: 2, roots: new Map([['unified', '/sys/fs/cgroup']]) };
const LEAST: Limits = { memoryBytes: 64 * MIB, pids: 64 };
const ALL: Limits = {
  milliCpu: 1500, memoryBytes: 64 * MIB, pids: 64, cpuset: '0-1,3', swapBytes: 32 * MIB,
  io: { weight: 500, readBps: 10 * MIB, writeBps: 5 * MIB, readIops: 1000, writeIops: 500 },
  hugepages: [{ pageBytes: 2 * MIB, bytes: 8 * MIB }],
};

/** One `file = text` a line, with what happens where the file is not there. */
function written(layout: CgroupLayout, limits: Limits, options: Partial<LimitContext> = {}): string {
  const context = { layout, path: '/gantry/c', memoryBefore: 0, allCpus: '0-3', device: '254:0', pageSizes: [2 * MIB, 1024 * MIB], ...options };
  const files = limitFiles({ requests: { milliCpu: 250, memoryBytes: 32 * MIB }, limits }, context);
  return files.map(({ paths, text, ifAbsent }) => `${paths.join(' | ')} = ${text.trim()} (${ifAbsent})\n`).join('');
}

for (const [name, layout] of [['v1', V1], ['v2', V2]] as const) {
  test(`${name}: every file and value, with all limits`, t => { golden(t, `cgroup/${name}-all.txt`, written(layout, ALL)); });
  test(`${name}: every file and value, with what must be`, t => { golden(t, `cgroup/${name}-least.txt`, written(layout, LEAST)); });
}

test('a new group gets what it does not have by itself; all of it where all is asked for', t => {
  const namesOf = (layout: CgroupLayout, limits: Limits, isNew: boolean): readonly string[] => limitFiles(
    { requests: { milliCpu: 250, memoryBytes: 32 * MIB }, limits },
    { layout, path: '/gantry/c', memoryBefore: 0, allCpus: '0-3', device: '254:0', pageSizes: [] }, isNew,
  ).map(({ paths }) => paths[0]?.split('/').at(-1) ?? '');
  t.deepEqual(namesOf(V1, LEAST, true), ['cpu.shares', 'memory.memsw.limit_in_bytes', 'memory.limit_in_bytes', 'memory.soft_limit_in_bytes', 'pids.max']);
  t.deepEqual(namesOf(V2, LEAST, true), ['cpu.weight', 'memory.max', 'memory.swap.max', 'memory.low', 'pids.max']);
  for (const layout of [V1, V2]) t.deepEqual(namesOf(layout, ALL, true), namesOf(layout, ALL, false));
});

test('v1: memory and swap together are raised first and lowered last', t => {
  const order = (memoryBefore: number): readonly string[] => written(V1, LEAST, { memoryBefore }).match(/memory\.(?:memsw\.)?limit_in_bytes/g) ?? [];
  t.deepEqual(order(32 * MIB), ['memory.memsw.limit_in_bytes', 'memory.limit_in_bytes']);
  t.deepEqual(order(128 * MIB), ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes']);
});

test('without a disk nothing is said of io but its weight', t => {
  t.notRegex(written(V1, LEAST, { device: undefined }), /throttle/);
  t.notRegex(written(V2, LEAST, { device: undefined }), /io\.max/);
});

test('cpus, shares and weight at their ends', t => {
  t.deepEqual([0, 1, 1000, 1e9].map(cpuShares), [2, 2, 1024, 262_144]);
  t.deepEqual([2, 1024, 262_144].map(cpuWeight), [1, 39, 10_000]);
  t.deepEqual([undefined, 1, 10, 2500].map(cpuQuota), [undefined, 1000, 1000, 250_000]);
});

test('v1: where huge pages cannot be limited nothing is said of them, unless some were wished for', t => {
  const without: CgroupLayout = { version: 1, roots: new Map([...V1.roots].filter(([name]) => name !== 'hugetlb')) };
  t.notRegex(written(without, LEAST), /hugetlb/);
  t.regex(written(without, { ...LEAST, hugepages: [{ pageBytes: 2 * MIB, bytes: 2 * MIB }] }), /hugetlb\.2MB\.limit_in_bytes = 2097152 \(refuse\)/);
});
