import { basename } from 'node:path';
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
import { isAbsent, nodeGroupFiles } from './group-files-fs.ts';
import { canLimitPages, pageSizes } from './page-sizes.ts';
import { requestFiles, sumOfRequests } from './task-requests.ts';
import type { Cgroups, GroupFiles } from './ports.ts';

/** A process that survives SIGKILL for this long hangs in the kernel. */
const KILL_TIMEOUT_MS = 10_000;
const KILL_POLL_MS = 4;
/** A process that is not frozen after this time hangs in the kernel. */
const FREEZE_TIMEOUT_MS = 5_000;
const FREEZE_POLL_MS = 2;
/** Number of polls after which the freeze is started again. */
const LOOKS_A_FREEZE = 50;
const PF_EXITING = 4;
/** Time after a move in which the next one does not wait. Well below the measured 10 ms. */
const MOVE_LASTS_MS = 5;

export interface CgroupOptions {
  /** Layout of the mounts; default: that of this machine. */
  readonly layout?: CgroupLayout;
  /** `major:minor` of the disk for I/O limits. */
  readonly disk?: string;
  /** Access to group files; default: those of this machine. */
  readonly files?: GroupFiles;
}

/**
 * Implements control groups `/PARENT/TASK/ID` on either version: the containers of a task are
 * siblings.
 */
export class CgroupFs implements Cgroups {
  readonly #layout: CgroupLayout;
  readonly #parent: string;
  readonly #clock: Clock;
  readonly #disk: string | undefined;
  readonly #files: GroupFiles;
  readonly #pageSizes: readonly number[];
  #isMoving = false;
  #movedAtMs = -Infinity;

  /**
   * @param parent  lower-case label, e.g. `gantry-n1`: the group of all containers of this agent
   */
  constructor(parent: string, clock: Clock, options: CgroupOptions = {}) {
    if (!/^[a-z0-9][a-z0-9-]*$/.test(parent)) {
      throw new RangeError(`control group ${JSON.stringify(parent)} is not a lower-case label`);
    }
    this.#parent = parent;
    this.#clock = clock;
    this.#files = options.files ?? nodeGroupFiles;
    this.#layout = options.layout ?? cgroupLayout(this.#files.read('/proc/self/mountinfo') ?? '');
    this.#disk = options.disk;
    this.#pageSizes = pageSizes(this.#files.directoriesIn('/sys/kernel/mm/hugepages'));
  }

  /** Sizes of huge pages in bytes that containers can be limited to, smallest first. */
  get limitablePageSizes(): readonly number[] {
    return this.#pageSizes.filter(bytes => canLimitPages(this.#layout, bytes, path => this.#files.read(path)));
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

  taskPlace(containerId: string): ReturnType<Cgroups['taskPlace']> {
    return { version: this.#layout.version, directory: this.#frozenDir(containerId) };
  }

  /**
   * Starts the wait of the next move in parallel with other work: the agent moves itself to its own
   * group. In version 1 the first move after an idle time waits 4 to 16 ms for all processors;
   * further moves within about 10 ms do not. Version 2 creates processes inside their group.
   * Source: kernel/cgroup/cgroup.c, cgroup_attach_lock(); kernel/rcu/sync.c, rcu_sync_enter();
   * clone(2), CLONE_INTO_CGROUP
   */
  expectMove(): void {
    if (this.#layout.version === 2 || this.#isMoving || this.#clock.monotonicMs() - this.#movedAtMs < MOVE_LASTS_MS) return;
    const own = ownProcessesFile(this.#layout, this.#files.read('/proc/self/cgroup') ?? '');
    this.#isMoving = true;
    this.#files.writeOnThread(own, String(process.pid)).catch(() => { /* only time is lost */ }).finally(() => {
      this.#isMoving = false;
      this.#movedAtMs = this.#clock.monotonicMs();
    });
  }

  async holds(containerId: string, pid: number): Promise<boolean> {
    const text = this.#files.read(`/proc/${String(pid)}/cgroup`);
    return await Promise.resolve(text === undefined || isInGroup(this.#layout, text, this.pathFor(containerId)) || isExiting(this.#files.read(`/proc/${String(pid)}/stat`)));
  }

  async processes(containerId: string): Promise<readonly number[]> {
    const groups = groupsBelow(processesDir(this.#layout, this.pathFor(containerId)), this.#files);
    return await Promise.resolve(groups.flatMap(group => processesOf(group, this.#files)).sort((left, right) => left - right));
  }

  async processCount(containerId: string): Promise<{ readonly count: number; readonly limit?: number }> {
    const files = processCountFiles(this.#layout, this.pathFor(containerId));
    const [count = '0', limit = 'max'] = [this.#files.read(files.count), this.#files.read(files.limit)];
    return await Promise.resolve({ count: Number(count), ...(limit.trim() === 'max' ? {} : { limit: Number(limit) }) });
  }

  async usage(containerId: string): Promise<ContainerUsage | undefined> {
    const texts = Object.entries(usageFiles(this.#layout, this.pathFor(containerId))).map(([name, path]) => [name, this.#files.read(path)] as const);
    return await Promise.resolve(texts.every(([, text]) => text === undefined) ? undefined : parseUsage(this.#layout.version, Object.fromEntries(texts)));
  }

  async limit(containerId: string, resources: TaskResources, before?: TaskResources): Promise<readonly string[]> {
    const isNew = before === undefined;
    const inUse = isNew ? 0 : (await this.usage(containerId))?.memoryBytes ?? 0;
    const context: LimitContext = { layout: this.#layout, path: this.pathFor(containerId), device: this.#disk, memoryBefore: this.#memoryLimit(containerId), allCpus: this.#allCpus(), pageSizes: this.#pageSizes };
    const problem = findProblem(resources, context, inUse);
    if (problem !== undefined) {
      throw new ClusterError('FAILED_PRECONDITION', problem);
    }
    const writeNow: Write = (path, text) => { this.#files.write(path, text); };
    const writeOnThread: Write = async (path, text) => { await this.#files.writeOnThread(path, text); };
    try {
      const ignored = await writeLimits(limitFiles(resources, context, isNew), isNew ? writeNow : writeOnThread);
      this.#writeTaskRequests(taskGroupOf(containerId));
      return ignored;
    } catch (error) {
      if (before !== undefined) {
        await writeLimits(limitFiles(before, { ...context, memoryBefore: this.#memoryLimit(containerId) }), writeOnThread).catch(() => { /* the first failure is told */ });
      }
      throw error;
    }
  }

  /**
   * Freezes again after a thaw if needed: a process that was forked meanwhile can leave a v1 group
   * in state FREEZING for ever. Source: cgroup-v1/freezer-subsystem.rst, "FREEZING"
   */
  async freeze(containerId: string): Promise<void> {
    const dir = this.#frozenDir(containerId);
    const [file, word, seen, pattern] = this.#layout.version === 1
      ? ['freezer.state', 'FROZEN', 'freezer.state', /^FROZEN$/m] as const : ['cgroup.freeze', '1', 'cgroup.events', /^frozen 1$/m] as const;
    await this.#files.writeOnThread(`${dir}/${file}`, word);
    const deadlineMs = this.#clock.monotonicMs() + FREEZE_TIMEOUT_MS;
    for (let looks = 1; !pattern.test(this.#files.read(`${dir}/${seen}`) ?? ''); looks += 1) {
      if (this.#layout.version === 1 && looks % LOOKS_A_FREEZE === 0) {
        await this.thaw(containerId);
        await this.#files.writeOnThread(`${dir}/${file}`, word);
      }
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
    await this.#writeIfThere(`${dir}/${file}`, word);
  }

  async killAll(containerId: string): Promise<void> {
    const root = processesDir(this.#layout, this.pathFor(containerId));
    const movedOut = new Set<number>();
    const deadlineMs = this.#clock.monotonicMs() + KILL_TIMEOUT_MS;
    for (;;) {
      const groups = groupsBelow(root, this.#files);
      const pids = [...groups.flatMap(group => processesOf(group, this.#files)), ...processesOf(this.#parentDir(), this.#files).filter(pid => movedOut.has(pid))];
      if (pids.length === 0) {
        return;
      }
      if (this.#clock.monotonicMs() >= deadlineMs) {
        throw new ClusterError('FAILED_PRECONDITION', `container ${containerId}: processes ${pids.join(' ')} outlive SIGKILL`);
      }
      const moved = await Promise.all(groups.map(group => this.#killGroup(group, this.#frozenDir(containerId))));
      moved.flat().forEach(pid => movedOut.add(pid));
      await this.#clock.sleep(KILL_POLL_MS, new AbortController().signal);
    }
  }

  async remove(containerId: string): Promise<void> {
    for (const dir of groupDirs(this.#layout, this.pathFor(containerId))) this.#removeTree(dir);
    this.#plainDirs(this.pathFor(containerId)).forEach(dir => { this.#files.removePlain(dir); });
    this.#removeTaskGroup(taskGroupOf(containerId));
    this.#writeTaskRequests(taskGroupOf(containerId));
    await Promise.resolve();
  }

  async list(): Promise<readonly string[]> {
    const path = `/${this.#parent}`;
    const names = [...groupDirs(this.#layout, path), ...this.#plainDirs(path)].flatMap(dir => {
      const children = this.#files.directoriesIn(dir);
      return [...children.filter(name => !isTaskGroup(name)), ...children.filter(isTaskGroup).flatMap(name => this.#files.directoriesIn(`${dir}/${name}`))];
    });
    return await Promise.resolve([...new Set(names)].sort());
  }

  /**
   * Sets the requests of the group of the task to the sum of its containers; a task without a
   * container has no group.
   */
  #writeTaskRequests(task: string | undefined): void {
    if (task === undefined) return;
    for (const { root, name, most, isBoundedAbove } of requestFiles(this.#layout)) {
      const parent = `${root}/${this.#parent}`;
      this.#writeSum(`${parent}/${task}`, name, most);
      if (isBoundedAbove) this.#writeSum(parent, name, most);
    }
  }

  #writeSum(dir: string, name: string, most: number): void {
    const groups = this.#files.directoriesIn(dir);
    if (groups.length === 0) return;
    try {
      this.#files.write(`${dir}/${name}`, String(sumOfRequests(groups.map(group => this.#files.read(`${dir}/${group}/${name}`)), most)));
    } catch (error) {
      // The group was removed with its last container, or this kernel has no such file.
      if (!isAbsent(error)) throw error;
    }
  }

  /**
   * Removes a group; only if that fails, it searches for groups that processes of the container
   * created inside.
   */
  #removeTree(dir: string): void {
    if (!this.#removeEmpty(dir)) {
      for (const group of [...groupsBelow(dir, this.#files)].reverse()) this.#files.remove(group);
    }
  }

  /** Removes the group of the task after its last container. */
  #removeTaskGroup(task: string | undefined): void {
    const path = `/${this.#parent}/${task ?? ''}`;
    for (const dir of task === undefined ? [] : [...groupDirs(this.#layout, path), ...this.#plainDirs(path)]) this.#removeEmpty(dir);
  }

  /** @returns false if the group is not empty */
  #removeEmpty(dir: string): boolean {
    try {
      this.#files.remove(dir);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' && (error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
      return false;
    }
  }

  #plainDirs(path: string): readonly string[] {
    return this.#layout.plainRoot === undefined ? [] : [`${this.#layout.plainRoot}${path}`];
  }

  /** Removes the parent group once it is empty, when the node leaves. */
  async removeParent(): Promise<void> {
    for (const dir of groupDirs(this.#layout, `/${this.#parent}`)) {
      for (const name of this.#files.directoriesIn(dir).filter(isTaskGroup)) this.#files.remove(`${dir}/${name}`);
      this.#files.remove(dir);
    }
    this.#plainDirs(`/${this.#parent}`).forEach(dir => { this.#files.removePlain(dir); });
    await Promise.resolve();
  }

  /** Containers of a task are frozen together. */
  #frozenDir(containerId: string): string {
    const task = taskGroupOf(containerId);
    return processesDir(this.#layout, task === undefined ? this.pathFor(containerId) : `/${this.#parent}/${task}`);
  }

  #memoryLimit(containerId: string): number {
    const text = this.#files.read(usageFiles(this.#layout, this.pathFor(containerId))['memoryLimit'] ?? '')?.trim();
    return text === undefined || text === 'max' ? Number.MAX_SAFE_INTEGER : Number(text);
  }

  /** Returns the cpus of the parent group: a v1 group cannot have more. */
  #allCpus(): string {
    const root = this.#layout.roots.get(this.#layout.version === 1 ? 'cpuset' : 'unified') ?? '/sys/fs/cgroup';
    const file = this.#layout.version === 1 ? 'cpuset.cpus' : 'cpuset.cpus.effective';
    return (this.#files.read(`${root}/${this.#parent}/${file}`) ?? '').trim();
  }

  /**
   * Kills every process of the group. v2 kills in the kernel. v1 freezes first, so that no process
   * forks while the pids are read. There a killed process does not exit while its task is paused,
   * so it is moved out of the task; the others stay frozen. Source: kernel/cgroup/legacy_freezer.c,
   * freezer_attach()
   * @returns pids that were moved into the parent group
   */
  async #killGroup(group: string, taskDir: string): Promise<readonly number[]> {
    if (this.#layout.version === 2) {
      await this.#writeIfThere(`${group}/cgroup.kill`, '1');
      return [];
    }
    await this.#writeIfThere(`${group}/freezer.state`, 'FROZEN');
    const pids = processesOf(group, this.#files);
    for (const pid of pids) this.#files.kill(pid);
    await this.#writeIfThere(`${group}/freezer.state`, 'THAWED');
    if (isThawed(this.#files.read(`${taskDir}/freezer.state`))) {
      return [];
    }
    for (const pid of pids) await this.#writeIfThere(`${this.#parentDir()}/cgroup.procs`, String(pid));
    return pids;
  }

  #parentDir(): string {
    return processesDir(this.#layout, `/${this.#parent}`);
  }

  async #writeIfThere(path: string, text: string): Promise<void> {
    try {
      await this.#files.writeOnThread(path, text);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }
}

function isThawed(state: string | undefined): boolean {
  return state === undefined || state.trim() === 'THAWED';
}

/** Returns the group and all groups below it, parents first. */
function groupsBelow(dir: string, files: GroupFiles): readonly string[] {
  return [dir, ...files.directoriesIn(dir).flatMap(name => groupsBelow(`${dir}/${name}`, files))];
}

function processesOf(group: string, files: GroupFiles): readonly number[] {
  return (files.read(`${group}/cgroup.procs`) ?? '').split('\n').filter(line => line !== '').map(Number);
}

function inTask(task: string | undefined): string {
  return task === undefined ? '' : `/${task}`;
}

/**
 * Writes synchronously for a container that does not run yet, else in a thread: a limit below the
 * usage makes the kernel reclaim memory.
 */
type Write = (path: string, text: string) => void | Promise<void>;

/** Writes in order. @throws ClusterError FAILED_PRECONDITION with the error of the kernel */
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

/**
 * Returns true for an exiting process, which is in the root of every v1 hierarchy. Source:
 * kernel/cgroup/cgroup.c, proc_cgroup_show(); include/linux/sched.h, PF_EXITING; proc_pid_stat(5),
 * flags
 */
function isExiting(stat: string | undefined): boolean {
  return stat === undefined || (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[6]) & PF_EXITING) !== 0;
}
