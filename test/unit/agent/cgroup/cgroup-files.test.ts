import test from 'ava';
import { cgroupLayout, groupDirs, isInGroup, ownProcessesFile, processesDir, usageFiles } from '../../../../agent/cgroup/cgroup-files.ts';

const V1 = [
  '30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw',
  '31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct',
  '32 30 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
  '33 30 0:29 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids',
  '34 30 0:30 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer',
  '35 30 0:31 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,release_agent=/x,name=systemd',
].join('\n');
const HYBRID = `${V1}\n36 30 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw`;
const V2 = '30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate';

test('v1: each controller at its mount, each mount once', t => {
  const layout = cgroupLayout(V1);
  t.is(layout.version, 1);
  t.deepEqual(groupDirs(layout, '/p/c'), ['cpu,cpuacct', 'freezer', 'memory', 'pids', 'systemd'].map(name => `/sys/fs/cgroup/${name}/p/c`));
  t.is(processesDir(layout, '/p/c'), '/sys/fs/cgroup/freezer/p/c');
  t.is(usageFiles(layout, '/p/c')['cpu'], '/sys/fs/cgroup/cpu,cpuacct/p/c/cpuacct.usage');
});
test('v1: the group of a process, by the controller that counts processes', t => {
  const layout = cgroupLayout(V1);
  t.is(ownProcessesFile(layout, '9:name=systemd:/x\n8:pids:/agents/n1\n0::/\n'), '/sys/fs/cgroup/pids/agents/n1/cgroup.procs');
  t.is(ownProcessesFile(layout, '8:memory,pids:/\n'), '/sys/fs/cgroup/pids/cgroup.procs');
});
test('v1: a process is held only when each limiting controller has it in the group or below; named and unknown hierarchies do not limit', t => {
  const layout = cgroupLayout(V1);
  const text = (memory: string): string => `9:name=systemd:/\n8:pids:/p/c\n7:rdma:/\n6:cpu,cpuacct:/p/c\n5:freezer:/p/c/inner\n4:memory:${memory}\n0::/\n`;
  t.true(isInGroup(layout, text('/p/c'), '/p/c'));
  t.false(isInGroup(layout, text('/'), '/p/c'));
  t.false(isInGroup(layout, text('/p/c2'), '/p/c'));
});
test('v2: a process is held by the one hierarchy', t => {
  t.true(isInGroup(cgroupLayout(V2), '0::/p/c\n', '/p/c'));
  t.false(isInGroup(cgroupLayout(V2), '0::/p\n', '/p/c'));
});
test('a hybrid is v1, its unified mount is none of ours', t => { t.deepEqual(cgroupLayout(HYBRID), { version: 1, roots: cgroupLayout(V1).roots }); });
test('v1 without a unified mount: there crun leaves plain directories', t => {
  t.is(cgroupLayout(V1).plainRoot, '/sys/fs/cgroup/unified');
  t.is(cgroupLayout(`${V1}\n36 30 0:40 / /sys/fs/cgroup/unified rw - tmpfs gantry rw`).plainRoot, '/sys/fs/cgroup/unified');
  t.is(cgroupLayout(V2).plainRoot, undefined);
});
test('v2: one hierarchy', t => {
  const layout = cgroupLayout(V2);
  t.is(layout.version, 2);
  t.deepEqual(groupDirs(layout, '/p/c'), ['/sys/fs/cgroup/p/c']);
  t.is(processesDir(layout, '/p/c'), '/sys/fs/cgroup/p/c');
  t.is(usageFiles(layout, '/p/c')['memoryLimit'], '/sys/fs/cgroup/p/c/memory.max');
});
test('none is an error', t => { t.throws(() => cgroupLayout('30 25 0:26 / / rw - ext4 /dev/vda rw'), { instanceOf: RangeError }); });
