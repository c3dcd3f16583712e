/** The groups of this machine's kernel, of whichever version, and of a hybrid's other mount, which has no controllers but does freeze and kill. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { systemClock } from '#kit/clock.ts';
import type { Task } from '#model/task.ts';
import { diskOf } from '../../agent/cgroup/block-device-fs.ts';
import { cgroupLayout, groupDirs } from '../../agent/cgroup/cgroup-files.ts';
import type { CgroupLayout } from '../../agent/cgroup/cgroup-files.ts';
import { CgroupFs } from '../../agent/cgroup/cgroup-fs.ts';
import { DeadmanFs } from '../../agent/deadman/deadman-fs.ts';
import { containerId } from '../../agent/task/names.ts';
import { cgroupsContract, ONE, OTHER, processesContract } from '../contract/cgroups-contract.ts';
import type { CgroupsUnderTest, UseCgroups } from '../contract/cgroups-contract.ts';
import { container, service, task as makeTask, taskId } from '../support/builders.ts';
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
    readTask: (id, controller, file) => readIfThere(`${layout.roots.get(controller) ?? '/none'}${path.dirname(cgroups.pathFor(id))}/${file}`),
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
test.serial('on a busy processor a task with 2 cores requested gets four times the time of one with 0.5 (needs root)', async t => {
  await on(layout)(t, async ({ cgroups, enter }) => {
    const burners: ChildProcess[] = [];
    for (const [id, milliCpu] of [[ONE, 2000], [OTHER, 500]] as const) {
      await enter(id);
      await cgroups.limit(id, { requests: { milliCpu, memoryBytes: 0 }, limits: { memoryBytes: 2 ** 26, pids: 16, cpuset: '0' } });
      const burner = spawn('sh', ['-c', 'read start; while :; do :; done'], { stdio: ['pipe', 'ignore', 'ignore'] });
      for (const directory of cgroups.place(id).directories) writeFileSync(`${directory}/cgroup.procs`, String(burner.pid));
      burners.push(burner);
    }
    burners.forEach(burner => { burner.stdin?.write('\n'); });
    const usedMs = async (id: string): Promise<number> => ((await cgroups.usage(id))?.cpuMicroseconds ?? 0) / 1000;
    await eventually('two seconds of time on the processor', async () => (await usedMs(ONE)) + (await usedMs(OTHER)) > 2_000 || undefined);
    const ratio = (await usedMs(ONE)) / (await usedMs(OTHER));
    burners.forEach(burner => { burner.kill('SIGKILL'); });
    t.true(ratio > 3.5 && ratio < 4.5, String(ratio));
  });
});

const unified = '/sys/fs/cgroup/unified';
if (layout.version === 1 && existsSync(`${unified}/cgroup.procs`)) {
  processesContract(test, 'the v2 mount of a hybrid (needs root)', on({ version: 2, roots: new Map([['unified', unified]]) }));
}
/** The program itself, told by the agent's own hand. */
async function withDeadman(parent: string, cgroups: CgroupFs, body: (deadman: DeadmanFs, again: () => DeadmanFs, hasLooked: () => Promise<void>) => Promise<void>): Promise<void> {
  const runDir = `/tmp/${parent}`;
  const deadman = new DeadmanFs(runDir, cgroups);
  const program = spawn(path.resolve(import.meta.dirname, '../../deploy/bin/gantry-deadman'), ['--run-dir', runDir], { stdio: ['ignore', 'ignore', 'inherit'] });
  const hasLooked = async (): Promise<void> => {
    const looks = new Set<string>();
    await eventually('three looks of the deadman', async () => await Promise.resolve(looks.add(readIfThere(`${runDir}/deadman/alive`) ?? '').size > 3 || undefined));
  };
  try {
    await eventually('the deadman at work', async () => await Promise.resolve(deadman.isAtWork() || undefined));
    await body(deadman, () => new DeadmanFs(runDir, cgroups), hasLooked);
  } finally {
    program.kill('SIGKILL');
    rmSync(runDir, { recursive: true, force: true });
  }
}

function deadmanTests(title: string, use: UseCgroups): void {
  const guardedTask = (id: string, stopAfterMs: number): Task => makeTask(service(), 'n1', { id: taskId(id), stopAfterMs, container: container({ stopGracePeriodMs: 0 }) });
  test(`D3: the deadman kills what is over its time, all of it and nothing else, on ${title}`, async t => {
    await use(t, async ({ cgroups, enter, isAlive }) => {
      const [late, early] = [guardedTask('late', 600_000), guardedTask('early', 0)];
      const [lateId, earlyId] = [containerId(late.id, 1), containerId(early.id, 3)];
      const parent = cgroups.pathFor(lateId).split('/')[1] ?? '';
      await withDeadman(parent, cgroups, async (deadman, again, hasLooked) => {
        t.false(deadman.guard(late, 1), 'nothing was heard yet: nothing to count from');
        deadman.heard(deadman.uptimeMs());
        const survivor = await enter(lateId);
        const doomed = [await enter(earlyId), await enter(`${earlyId}-c0-1`)];
        await cgroups.freeze(earlyId);
        t.true(deadman.guard(late, 1));
        t.true(deadman.guard(early, 3));
        await eventually('the ends of what is over its time', async () => await Promise.resolve(!doomed.some(isAlive) || undefined));
        t.true(deadman.hasKilled(early.id, 3));
        const next = await enter(earlyId);
        await eventually('the end of what came later', async () => await Promise.resolve(!isAlive(next) || undefined));
        t.true(isAlive(survivor));
        t.false(deadman.hasKilled(late.id, 1));

        const successor = again();
        t.true((successor.heardAgoMs() ?? -1) >= 0);
        t.true(successor.hasKilled(early.id, 3));
        successor.releaseAllBut(new Set([late.id]));
        t.false(successor.hasKilled(early.id, 3));
        const free = await enter(earlyId);
        await hasLooked();
        t.true(isAlive(free));
        t.true(isAlive(survivor));
      });
    });
  });
}

deadmanTests(`v${String(layout.version)} of this kernel (needs root)`, on(layout));
if (layout.version === 1 && existsSync(`${unified}/cgroup.procs`)) {
  deadmanTests('the v2 mount of a hybrid (needs root)', on({ version: 2, roots: new Map([['unified', unified]]) }));
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
