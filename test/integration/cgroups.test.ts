/** The groups of this machine's kernel, of whichever version, and of a hybrid's other mount, which has no controllers but does freeze and kill. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { systemClock } from '#kit/clock.ts';
import { diskOf } from '../../agent/cgroup/block-device-fs.ts';
import { cgroupLayout, groupDirs } from '../../agent/cgroup/cgroup-files.ts';
import type { CgroupLayout } from '../../agent/cgroup/cgroup-files.ts';
import { CgroupFs } from '../../agent/cgroup/cgroup-fs.ts';
import { cgroupsContract, processesContract } from '../contract/cgroups-contract.ts';
import type { CgroupsUnderTest, UseCgroups } from '../contract/cgroups-contract.ts';
import { eventually } from '../support/container-sandbox.ts';
import { leaveNothingOf } from '../support/last-will.ts';

/** Swap accounting, a disk scheduler with weights and huge pages are a kernel's to have. */
const MAY_LACK = [/memsw/, /^hugetlb/];

/** Uses groups of a name that nobody has. */
function on(layout: CgroupLayout): UseCgroups {
  return async (t, body) => {
    const parent = `gantry-test-${randomBytes(4).toString('hex')}`;
    const revokeWill = leaveNothingOf({ directory: `/tmp/${parent}`, group: parent });
    const children: ChildProcess[] = [];
    const subject = await makeSubject(layout, parent, children);
    try {
      await body(subject);
    } finally {
      await clearUp(subject.cgroups, children, t);
      revokeWill();
    }
  };
}

async function makeSubject(layout: CgroupLayout, parent: string, children: ChildProcess[]): Promise<CgroupsUnderTest> {
  const disk = await diskOf('/var/tmp') ?? '';
  const onDisk = (device: string): CgroupFs => new CgroupFs(parent, systemClock, { layout, disk: device });
  const cgroups = onDisk(disk);
  const start = async (): Promise<number> => {
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    children.push(child);
    await new Promise(resolve => { child.once('spawn', resolve); });
    return child.pid ?? 0;
  };
  const enter = async (id: string): Promise<number> => {
    const pid = await start();
    for (const root of new Set(layout.roots.values())) {
      makeGroup(root, cgroups.pathFor(id));
      writeFileSync(`${root}${cgroups.pathFor(id)}/cgroup.procs`, String(pid));
    }
    return pid;
  };
  return {
    version: layout.version, cgroups, onDisk, disk, enter, outsider: await start(), mayLack: MAY_LACK,
    read: (id, controller, file) => readIfThere(`${layout.roots.get(controller) ?? '/none'}${cgroups.pathFor(id)}/${file}`),
    isAlive: pid => children.some(child => child.pid === pid && child.signalCode === null) && !/^State:\s+Z/m.test(readIfThere(`/proc/${String(pid)}/status`) ?? 'State: Z'),
    // A process that runs may wait for a disk at one look.
    standsStill: async pid => {
      await eventually('off the processors', async () => await Promise.resolve(waitsIn(pid) !== '0' || undefined));
      return isStill(pid) && await sleep(100, true) && isStill(pid);
    },
  };
}

/** As a runtime does: version 1 wants its processors named, version 2 its controllers, all the way down. */
function makeGroup(root: string, path: string): void {
  path.split('/').slice(1).reduce((above, part) => {
    const dir = `${above}/${part}`;
    const controllers = readIfThere(`${above}/cgroup.controllers`)?.trim() ?? '';
    if (controllers !== '' && above !== '/sys/fs/cgroup/unified') writeFileSync(`${above}/cgroup.subtree_control`, controllers.split(' ').map(name => `+${name}`).join(' '));
    mkdirSync(dir, { recursive: true });
    for (const file of ['cpuset.mems', 'cpuset.cpus'].filter(name => controllers === '' && readIfThere(`${dir}/${name}`)?.trim() === '')) {
      writeFileSync(`${dir}/${file}`, readFileSync(`${above}/${file}`));
    }
    return dir;
  }, root);
}

/** Version 1 shows it as uninterruptible, version 2 by where it waits. Source: kernel/freezer.c, __refrigerator(); kernel/signal.c, do_freezer_trap() */
function isStill(pid: number): boolean {
  const stat = readIfThere(`/proc/${String(pid)}/stat`) ?? '';
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('D') || /get_signal|do_freezer_trap/.test(waitsIn(pid));
}

/** The kernel's function it waits in; `0` while it runs or is about to, also on its way to stand still. Source: proc_pid_wchan(5) */
function waitsIn(pid: number): string {
  return readIfThere(`/proc/${String(pid)}/wchan`) ?? '';
}

async function clearUp(cgroups: CgroupFs, children: readonly ChildProcess[], t: ExecutionContext): Promise<void> {
  for (const id of await cgroups.list()) {
    await cgroups.thaw(id);
    await cgroups.killAll(id);
    await cgroups.remove(id);
  }
  for (const child of children) child.kill('SIGKILL');
  await cgroups.removeParent();
  t.deepEqual(cgroups.place('x').directories.map(dir => dir.slice(0, -'/x'.length)).filter(existsSync), [], 'nothing is left');
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const layout = cgroupLayout(readFileSync('/proc/self/mountinfo', 'utf8'));
cgroupsContract(test, `v${String(layout.version)} of this kernel (needs root)`, on(layout));
const unified = '/sys/fs/cgroup/unified';
if (layout.version === 1 && existsSync(`${unified}/cgroup.procs`)) {
  processesContract(test, 'the v2 mount of a hybrid (needs root)', on({ version: 2, roots: new Map([['unified', unified]]) }));
}
test('the groups of this machine are where its mounts say (needs root)', t => {
  t.deepEqual(groupDirs(layout, '').filter(dir => !existsSync(`${dir}/cgroup.procs`)), []);
});

if (layout.version === 1 && process.getuid?.() === 0) {
  test('the last will of a test (needs root): a killed process that stood still is gone, and its groups with it', async t => {
    const group = `gantry-will-${randomBytes(4).toString('hex')}`;
    const words = JSON.stringify({ directory: `/tmp/${group}`, group });
    const willing = `import { leaveNothingOf } from './test/support/last-will.ts'; leaveNothingOf(${words}); console.log('written'); setInterval(() => {}, 1000);`;
    const testator = spawn(process.execPath, ['--input-type=module', '--eval', willing], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(testator.stdout, 'data');
    const sleeper = spawn('sleep', ['600'], { stdio: 'ignore' });
    await once(sleeper, 'spawn');
    const dirs = groupDirs(layout, `/${group}/task`);
    for (const root of new Set(layout.roots.values())) {
      makeGroup(root, `/${group}/task`);
      writeFileSync(`${root}/${group}/task/cgroup.procs`, String(sleeper.pid));
    }
    writeFileSync(`${layout.roots.get('freezer') ?? ''}/${group}/task/freezer.state`, 'FROZEN');
    testator.kill('SIGKILL');
    await eventually('the end of its groups', async () => await Promise.resolve(dirs.every(dir => !existsSync(dir)) || undefined));
    t.is(sleeper.signalCode, 'SIGKILL');
  });
}
