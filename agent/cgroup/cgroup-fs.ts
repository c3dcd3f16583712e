import { readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { ClusterError } from '#model/errors.ts';
import type { TaskResources } from '#model/resources.ts';
import type { Clock } from '#kit/clock.ts';
import type { ContainerUsage } from '../runtime/ports.ts';
import { cgroupLayout, groupDirs, isInGroup, isTaskGroup, ownProcessesFile, processCountFiles, processesDir, taskGroupOf, usageFiles } from './cgroup-files.ts';
import type { CgroupLayout } from './cgroup-files.ts';
import { parseUsage } from './cgroup-stats.ts';
import { limitFiles } from './limit-files.ts';
import type { LimitContext, LimitFile } from './limit-files.ts';
import { findProblem } from './limit-problems.ts';
import type { Cgroups } from './ports.ts';

/** A process that outlives SIGKILL this long hangs in the kernel. */
const KILL_TIMEOUT_MS = 10_000;
const KILL_POLL_MS = 4;
/** A process that does not stand still this long sits in the kernel. */
const FREEZE_TIMEOUT_MS = 5_000;
const FREEZE_POLL_MS = 2;
const PF_EXITING = 4;

export interface CgroupOptions {
  /** Default: what this machine mounts. */
  readonly layout?: CgroupLayout;
  /** `major:minor` of the disk that io limits are about. */
  readonly disk?: string;
}

/**
 * Control groups `/PARENT/TASK/ID` of this machine, whatever version it mounts: those of one task's containers lie side by side.
 *
 * Its files lie in memory, so they are read and written at once: a thread's turn for each of some hundred a start costs more than all of them, and
 * reading on threads takes 64 KiB each time. What makes the kernel wait (a limit below what is in use, freezing) goes through threads.
 */
export class CgroupFs implements Cgroups {
  readonly #layout: CgroupLayout;
  readonly #parent: string;
  readonly #clock: Clock;
  readonly #disk: string | undefined;
  #isMoving = false;

  /** @param parent  lower-case label, e.g. `gantry-n1`: the group of all containers of this agent */
  constructor(parent: string, clock: Clock, options: CgroupOptions = {}) {
    if (!/^[a-z0-9][a-z0-9-]*$/.test(parent)) {
      throw new RangeError(`control group ${JSON.stringify(parent)} is not a lower-case label`);
    }
    this.#parent = parent;
    this.#clock = clock;
    this.#layout = options.layout ?? cgroupLayout(readFileSync('/proc/self/mountinfo', 'utf8'));
    this.#disk = options.disk;
  }

  pathFor(containerId: string): string {
    if (!/^[a-z0-9][a-z0-9-]*$/.test(containerId)) {
      throw new RangeError(`container id ${JSON.stringify(containerId)} names no control group`);
    }
    return `/${this.#parent}${inTask(taskGroupOf(containerId))}/${containerId}`;
  }

  place(containerId: string): ReturnType<Cgroups['place']> {
    const path = this.pathFor(containerId);
    return { version: this.#layout.version, path, directories: groupDirs(this.#layout, path) };
  }

  /**
   * In version 1 the first move after a quiet time waits for all processors, 4 to 16 ms, with whoever moves; the next ones do not, for some 10 ms.
   * So that wait begins here, beside other work: the agent moves itself to where it is. Version 2 makes processes in their group.
   *
   * Source: kernel/cgroup/cgroup.c, cgroup_attach_lock(); kernel/rcu/sync.c, rcu_sync_enter(); clone(2), CLONE_INTO_CGROUP
   */
  expectMove(): void {
    if (this.#layout.version === 2 || this.#isMoving) return;
    this.#isMoving = true;
    writeFile(ownProcessesFile(this.#layout, readFileSync('/proc/self/cgroup', 'utf8')), String(process.pid)).catch(() => { /* only time is lost */ }).finally(() => { this.#isMoving = false; });
  }

  async holds(containerId: string, pid: number): Promise<boolean> {
    const text = readNow(`/proc/${String(pid)}/cgroup`);
    return await Promise.resolve(text === undefined || isInGroup(this.#layout, text, this.pathFor(containerId)) || isExiting(pid));
  }

  async processes(containerId: string): Promise<readonly number[]> {
    const groups = groupsBelow(processesDir(this.#layout, this.pathFor(containerId)));
    return await Promise.resolve(groups.flatMap(processesOf).sort((left, right) => left - right));
  }

  async processCount(containerId: string): Promise<{ readonly count: number; readonly limit?: number }> {
    const files = processCountFiles(this.#layout, this.pathFor(containerId));
    const [count = '0', limit = 'max'] = [readNow(files.count), readNow(files.limit)];
    return await Promise.resolve({ count: Number(count), ...(limit.trim() === 'max' ? {} : { limit: Number(limit) }) });
  }

  async usage(containerId: string): Promise<ContainerUsage | undefined> {
    const texts = Object.entries(usageFiles(this.#layout, this.pathFor(containerId))).map(([name, path]) => [name, readNow(path)] as const);
    return await Promise.resolve(texts.every(([, text]) => text === undefined) ? undefined : parseUsage(this.#layout.version, Object.fromEntries(texts)));
  }

  async limit(containerId: string, resources: TaskResources, before?: TaskResources): Promise<readonly string[]> {
    const isNew = before === undefined;
    const inUse = isNew ? 0 : (await this.usage(containerId))?.memoryBytes ?? 0;
    const context: LimitContext = { layout: this.#layout, path: this.pathFor(containerId), device: this.#disk, memoryBefore: this.#memoryLimit(containerId), allCpus: this.#allCpus() };
    const problem = findProblem(resources, context, inUse);
    if (problem !== undefined) {
      throw new ClusterError('FAILED_PRECONDITION', problem);
    }
    try {
      return await writeLimits(limitFiles(resources, context), isNew ? writeNow : writeOnThread);
    } catch (error) {
      if (before !== undefined) {
        await writeLimits(limitFiles(before, { ...context, memoryBefore: this.#memoryLimit(containerId) }), writeOnThread).catch(() => { /* the first failure is told */ });
      }
      throw error;
    }
  }

  async freeze(containerId: string): Promise<void> {
    const dir = this.#frozenDir(containerId);
    const [file, word, seen, pattern] = this.#layout.version === 1
      ? ['freezer.state', 'FROZEN', 'freezer.state', /^FROZEN$/m] as const : ['cgroup.freeze', '1', 'cgroup.events', /^frozen 1$/m] as const;
    await writeFile(`${dir}/${file}`, word);
    const deadlineMs = this.#clock.monotonicMs() + FREEZE_TIMEOUT_MS;
    while (!pattern.test(readNow(`${dir}/${seen}`) ?? '')) {
      if (this.#clock.monotonicMs() >= deadlineMs) {
        await this.thaw(containerId);
        throw new ClusterError('FAILED_PRECONDITION', `container ${containerId}: a process does not stand still; it hangs in the kernel`);
      }
      await this.#clock.sleep(FREEZE_POLL_MS, new AbortController().signal);
    }
  }

  async thaw(containerId: string): Promise<void> {
    const dir = this.#frozenDir(containerId);
    const [file, word] = this.#layout.version === 1 ? ['freezer.state', 'THAWED'] as const : ['cgroup.freeze', '0'] as const;
    ifThere(() => { writeFileSync(`${dir}/${file}`, word); });
    await Promise.resolve();
  }

  async killAll(containerId: string): Promise<void> {
    const root = processesDir(this.#layout, this.pathFor(containerId));
    const deadlineMs = this.#clock.monotonicMs() + KILL_TIMEOUT_MS;
    for (;;) {
      const groups = groupsBelow(root);
      const pids = groups.flatMap(processesOf);
      if (pids.length === 0) {
        return;
      }
      if (this.#clock.monotonicMs() >= deadlineMs) {
        throw new ClusterError('FAILED_PRECONDITION', `container ${containerId}: processes ${pids.join(' ')} outlive SIGKILL`);
      }
      await Promise.all(groups.map(group => this.#killGroup(group)));
      if (this.#layout.version === 1) {
        await this.thaw(containerId); // in a frozen task's group a killed process waits
      }
      await this.#clock.sleep(KILL_POLL_MS, new AbortController().signal);
    }
  }

  async remove(containerId: string): Promise<void> {
    for (const dir of groupDirs(this.#layout, this.pathFor(containerId))) {
      for (const group of [...groupsBelow(dir)].reverse()) removeGroup(group);
    }
    this.#removeTaskGroup(taskGroupOf(containerId));
    await Promise.resolve();
  }

  async list(): Promise<readonly string[]> {
    const names = groupDirs(this.#layout, `/${this.#parent}`).flatMap(dir => {
      const children = childrenOf(dir);
      return [...children.filter(name => !isTaskGroup(name)), ...children.filter(isTaskGroup).flatMap(name => childrenOf(`${dir}/${name}`))];
    });
    return await Promise.resolve([...new Set(names)].sort());
  }

  /** The last container of a task takes the task's own group with it. */
  #removeTaskGroup(task: string | undefined): void {
    for (const dir of task === undefined ? [] : groupDirs(this.#layout, `/${this.#parent}/${task}`)) {
      try {
        removeGroup(dir);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EBUSY' && (error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
      }
    }
  }

  /** Removes the parent group itself, once it is empty: for the end of a node. */
  async removeParent(): Promise<void> {
    for (const dir of groupDirs(this.#layout, `/${this.#parent}`)) {
      for (const name of childrenOf(dir).filter(isTaskGroup)) removeGroup(`${dir}/${name}`);
      removeGroup(dir);
    }
    await Promise.resolve();
  }

  /** The containers of a task stand still together. */
  #frozenDir(containerId: string): string {
    const task = taskGroupOf(containerId);
    return processesDir(this.#layout, task === undefined ? this.pathFor(containerId) : `/${this.#parent}/${task}`);
  }

  #memoryLimit(containerId: string): number {
    const text = readNow(usageFiles(this.#layout, this.pathFor(containerId))['memoryLimit'] ?? '')?.trim();
    return text === undefined || text === 'max' ? Number.MAX_SAFE_INTEGER : Number(text);
  }

  /** What the parent group has: a group of v1 cannot have more. */
  #allCpus(): string {
    const root = this.#layout.roots.get(this.#layout.version === 1 ? 'cpuset' : 'unified') ?? '/sys/fs/cgroup';
    const file = this.#layout.version === 1 ? 'cpuset.cpus' : 'cpuset.cpus.effective';
    return (readNow(`${root}/${this.#parent}/${file}`) ?? '').trim();
  }

  /** v2 kills in the kernel; v1 freezes first, so that nothing forks away while its pids are read. */
  async #killGroup(group: string): Promise<void> {
    if (this.#layout.version === 2) {
      ifThere(() => { writeFileSync(`${group}/cgroup.kill`, '1'); });
      return;
    }
    await writeFile(`${group}/freezer.state`, 'FROZEN').catch(ignoreAbsent);
    for (const pid of processesOf(group)) killIfThere(pid);
    await writeFile(`${group}/freezer.state`, 'THAWED').catch(ignoreAbsent);
  }
}

function inTask(task: string | undefined): string {
  return task === undefined ? '' : `/${task}`;
}

/** How a limit is written: one below what is in use makes the kernel reclaim, which takes its time. */
type Write = (path: string, text: string) => Promise<void>;

const writeOnThread: Write = async (path, text) => { await writeFile(path, text, { flag: 'r+' }); };

const writeNow: Write = async (path, text) => {
  writeFileSync(path, text, { flag: 'r+' });
  await Promise.resolve();
};

/** Writes in order. @throws ClusterError FAILED_PRECONDITION with the kernel's answer */
async function writeLimits(files: readonly LimitFile[], write: Write): Promise<readonly string[]> {
  const ignored: string[] = [];
  for (const file of files) {
    const written = await Promise.all(file.paths.map(async path => await writeIfThere(path, file, write)));
    if (written.includes(true) || file.ifAbsent === 'ignore') {
      continue;
    }
    if (file.ifAbsent === 'refuse') {
      throw new ClusterError('FAILED_PRECONDITION', `${file.what}: this kernel cannot limit it (no ${String(file.paths[0])})`);
    }
    ignored.push(`${file.what}: this kernel cannot enforce it`);
  }
  return ignored;
}

async function writeIfThere(path: string, { text, what }: LimitFile, write: Write): Promise<boolean> {
  try {
    await write(path, text);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'ENOENT' || code === 'ENODEV') {
      return false;
    }
    throw new ClusterError('FAILED_PRECONDITION', `${what}: the kernel answers ${code} to ${JSON.stringify(text.trim())} in ${basename(path)}`, { cause: error });
  }
}

/** One that is ending is in the root of every version 1 hierarchy. Source: kernel/cgroup/cgroup.c, proc_cgroup_show(); include/linux/sched.h, PF_EXITING; proc_pid_stat(5), flags */
function isExiting(pid: number): boolean {
  const stat = readNow(`/proc/${String(pid)}/stat`);
  return stat === undefined || (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[6]) & PF_EXITING) !== 0;
}

/** The group and all groups in it, parents first. */
function groupsBelow(dir: string): readonly string[] {
  return [dir, ...childrenOf(dir).flatMap(name => groupsBelow(`${dir}/${name}`))];
}

function childrenOf(dir: string): readonly string[] {
  const entries = ifThere(() => readdirSync(dir, { withFileTypes: true })) ?? [];
  return entries.filter(entry => entry.isDirectory()).map(entry => entry.name);
}

function processesOf(group: string): readonly number[] {
  return (readNow(`${group}/cgroup.procs`) ?? '').split('\n').filter(line => line !== '').map(Number);
}

function removeGroup(group: string): void {
  ifThere(() => { rmdirSync(group); });
}

function readNow(path: string): string | undefined {
  return ifThere(() => readFileSync(path, 'utf8'));
}

function ifThere<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    ignoreAbsent(error);
    return undefined;
  }
}

/** A group or a process that went away meanwhile is what its caller wanted. Source: cgroups(7): reads of a removed group answer ENODEV; proc(5): ESRCH */
function ignoreAbsent(error: unknown): void {
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== 'ENOENT' && code !== 'ENODEV' && code !== 'ESRCH') {
    throw error;
  }
}

/** 0 is a process outside our pid namespace, which cannot be ours. */
function killIfThere(pid: number): void {
  try {
    if (pid > 0) {
      process.kill(pid, 'SIGKILL');
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw error;
    }
  }
}
