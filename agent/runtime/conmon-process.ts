import { closeSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ClusterError } from '#model/errors.ts';
import type { Clock } from '#kit/clock.ts';
import { isSameProcess } from '#kit/process-stat-parse.ts';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import type { Cgroups } from '../cgroup/ports.ts';
import { signalProcess } from '../kernel/pidfd-syscall.ts';
import { makePipe, spawnProcess } from '../kernel/spawn-syscall.ts';
import { moveLogAside } from '../logs/log-fs.ts';
import { endAbandonedExecs } from './abandoned-exec-process.ts';
import { AttachClient, REOPEN_LOG, tellMonitor } from './attach-socket.ts';
import { conmonArgs } from './conmon-args.ts';
import { containerEnds } from './container-ends-flow.ts';
import { requireContainerId } from './container-id.ts';
import { ContainerRecords, identify } from './container-record-fs.ts';
import type { ContainerRecord } from './container-record-fs.ts';
import { startExec, startForeground } from './exec-process.ts';
import type {
  ContainerEnd, ContainerRequest, ContainerRuntime, ContainerState, CreatedContainer, ExecRequest, ProcessStreams, RunRequest,
} from './ports.ts';
import { readLine } from './pipe-socket.ts';
import { hasChildOutside } from './process-children-fs.ts';
import { RuntimeProcess } from './runtime-process.ts';
import { knownSignal } from './signal-name.ts';
import { killSession, reapSoon, TOOL_ENVIRONMENT } from './tool-process.ts';

export interface ConmonRuntimeOptions {
  /** On a file system that does not survive a reboot: records, exit files, the runtimes' own state. */
  readonly stateDir: string;
  /** By the name that tasks use: `crun`, `runc`. */
  readonly programs: ReadonlyMap<string, string>;
  readonly conmonPath: string;
  readonly cgroups: Cgroups;
  readonly clock: Clock;
}

/** A create that takes longer is taken for hung. */
const CREATE_TIMEOUT_MS = 30_000;
/** How often a create that takes long is looked at: is there still a runtime at work? Far above what a create takes. */
const CREATOR_LOOK_MS = 500;
/** Looks without one until conmon, which then only has a pid file to read, is taken for stuck. */
const MAX_IDLE_LOOKS = 4;
/** conmon drains the container's output before it goes; then it is ended. */
const MONITOR_GRACE_MS = 2000;
const MONITOR_POLL_MS = 5;
/** Made once: an abort without a reason makes an error with its stack each time. */
const WORD_CAME = new Error('the word came');
/** Source: conmon, src/conmon.c, get_pipe_fd_from_env("_OCI_SYNCPIPE") */
const SYNC_FD = 3;

/** Containers behind conmon, one monitor each; see `ContainerRuntime` for the rules by number. */
export class ConmonRuntime implements ContainerRuntime {
  readonly #options: ConmonRuntimeOptions;
  readonly #records: ContainerRecords;
  readonly #runtimes: ReadonlyMap<string, RuntimeProcess>;
  readonly #attaches = new AttachClient();
  /** Of each container with attachments; `end` is set when it is removed. */
  readonly #attached = new Map<string, Set<{ end: ContainerEnd | undefined }>>();
  /** Containers whose monitor was told to open its log anew and has not yet. */
  readonly #reopening = new Set<string>();

  constructor(options: ConmonRuntimeOptions) {
    this.#options = options;
    this.#records = new ContainerRecords(options.stateDir);
    this.#runtimes = new Map([...options.programs].map(([name, program]) =>
      [name, new RuntimeProcess({ name, program, root: `${options.stateDir}/${name}/root` })]));
  }

  problem(): string | undefined {
    return this.#records.problem();
  }

  async create(request: ContainerRequest, signal: AbortSignal): Promise<CreatedContainer> {
    signal.throwIfAborted();
    const runtime = this.#runtime(request.runtime);
    const { id, bundlePath, logPath, terminal, stdin } = request;
    const record: ContainerRecord = { runtime: request.runtime, bundlePath, logPath, terminal, stdin };
    this.#records.open(id, record);
    try {
      writeFileSync(`${bundlePath}/config.json`, request.configJson, { mode: 0o600 });
      this.#options.cgroups.expectMove();
      await this.#spawnMonitor(request, runtime);
      const { container, monitor } = this.#records.processes(id);
      if (container === undefined || monitor === undefined) {
        throw new ClusterError('FAILED_PRECONDITION', `container ${id} ended while it was created`);
      }
      this.#records.write(id, { ...record, container, monitor });
      signal.throwIfAborted();
      return { container, monitor };
    } catch (error) {
      await this.remove(id);
      throw error;
    }
  }

  async created(id: string): Promise<(CreatedContainer & { readonly createdAtMs: number }) | undefined> {
    const { container, monitor } = this.#records.read(id) ?? {};
    const createdAtMs = this.#records.writtenAtMs(id);
    return await Promise.resolve(container === undefined || monitor === undefined || createdAtMs === undefined ? undefined : { container, monitor, createdAtMs });
  }

  async start(id: string): Promise<void> {
    await this.#runtimeOf(id).start(id);
  }

  async state(id: string): Promise<ContainerState> {
    const record = this.#records.read(id);
    return record === undefined ? 'absent' : await this.#runtime(record.runtime).state(id);
  }

  async kill(id: string, signal: string, everyProcess: boolean): Promise<void> {
    if (everyProcess) {
      await this.#options.cgroups.killAll(requireContainerId(id));
    } else {
      const { runtime: name, container } = this.#requireRecord(id);
      const runtime = this.#runtime(name);
      const isSent = runtime.hasHostProcesses && container !== undefined && signalDirectly(container, signal);
      if (!isSent) await runtime.kill(id, signal);
      if (/^(?:SIG)?KILL$|^9$/.test(signal)) {
        await this.#options.cgroups.thaw(id); // a frozen process does not die
      }
    }
  }

  async remove(id: string): Promise<void> {
    const { monitor } = this.#records.processes(id);
    const record = this.#records.read(id);
    if (monitor !== undefined && record?.container === undefined) {
      abandonCreate(id, monitor);
    }
    await this.#options.cgroups.killAll(id);
    for (const runtime of record === undefined ? this.#runtimes.values() : [this.#runtime(record.runtime)]) {
      await runtime.delete(id);
    }
    if (monitor !== undefined) {
      await this.#endMonitor(id, monitor);
    }
    await this.#options.cgroups.remove(id);
    this.#tellAttached(id);
    await this.#records.remove(id);
  }

  /** Whoever is attached looks for the end a moment after it: then it may have been taken away already, or half, which looks like a lost monitor. */
  #tellAttached(id: string): void {
    const end = this.#attached.has(id) ? this.#records.readEnd(id) : undefined;
    this.#attached.get(id)?.forEach(watch => { watch.end = end; });
  }

  async list(): Promise<readonly string[]> {
    const known = await Promise.all([...this.#runtimes.values()].map(async runtime => await runtime.list()));
    return [...new Set([...this.#records.list(), ...known.flat()])].sort();
  }

  async readEnd(id: string): Promise<ContainerEnd | undefined> {
    return await Promise.resolve(this.#endOf(id));
  }

  #endOf(id: string): ContainerEnd | undefined {
    const end = this.#records.readEnd(id);
    const { container, monitor } = end === undefined ? this.#records.read(id) ?? {} : {};
    if (container === undefined || monitor === undefined || isRunning(monitor) || isRunning(container)) {
      return end;
    }
    // conmon writes the file before it goes: both gone and still no file means there never will be one.
    if (this.#records.readEnd(id) === undefined) this.#records.markLost(id);
    return this.#records.readEnd(id);
  }

  ends(signal: AbortSignal): AsyncIterable<{ readonly id: string; readonly end: ContainerEnd }> {
    return containerEnds({ exitDir: this.#records.exitDir, list: () => this.#records.list(), endOf: async id => await this.#endOrOrphan(id), clock: this.#options.clock }, signal);
  }

  async endAbandonedExecs(): Promise<void> {
    for (const id of this.#records.list()) endAbandonedExecs(this.#records.dirOf(id));
    await Promise.resolve();
  }

  async exec(id: string, request: ExecRequest, signal: AbortSignal): Promise<ProcessStreams> {
    signal.throwIfAborted();
    const record = this.#requireRecord(id);
    if (record.container === undefined || !await this.isAlive(record.container)) {
      throw new ClusterError('FAILED_PRECONDITION', `container ${id} is not running`);
    }
    await this.#requireProcessRoom(id);
    const config = await readFile(`${record.bundlePath}/config.json`, 'utf8');
    return await startExec({ id, runtime: this.#runtime(record.runtime), recordDir: this.#records.dirOf(id), config, container: record.container }, request, signal);
  }

  /** The kernel lets a process move into a full group, where it cannot fork: that is told before. Source: cgroup-v2.rst, "PID" */
  async #requireProcessRoom(id: string): Promise<void> {
    const { count, limit } = await this.#options.cgroups.processCount(id);
    if (limit !== undefined && count >= limit) {
      throw new ClusterError('RESOURCE_EXHAUSTED', `exec: resource temporarily unavailable (pids limit ${String(limit)}); the container has ${String(count)} processes and goes on`);
    }
  }

  async attach(id: string, signal: AbortSignal): Promise<ProcessStreams> {
    signal.throwIfAborted();
    const record = this.#requireRecord(id);
    const watch = { end: undefined as ContainerEnd | undefined };
    const watches = this.#attached.get(id) ?? new Set();
    this.#attached.set(id, watches.add(watch));
    const ended = this.#waitGone(record, signal).then(() => this.readEnd(id)).then(end => ({ code: (watch.end ?? end)?.code ?? null }))
      .finally(() => { if (watches.delete(watch) && watches.size === 0) this.#attached.delete(id); });
    ended.catch(() => { /* told to whoever waits for it, if anybody still does */ });
    return await this.#attaches.attach(record, { ended, signal: async name => { await this.#signalIfThere(id, name); } });
  }

  async #signalIfThere(id: string, signal: string): Promise<void> {
    if (this.#records.read(id) !== undefined) await this.kill(id, signal, false);
  }

  async run(request: RunRequest, signal: AbortSignal): Promise<ProcessStreams> {
    signal.throwIfAborted();
    const { id, bundlePath, configJson, tty, stdin } = request;
    const runtime = this.#runtime(request.runtime);
    this.#records.open(id, { runtime: request.runtime, bundlePath, logPath: '', terminal: tty, stdin });
    writeFileSync(`${bundlePath}/config.json`, configJson, { mode: 0o600 });
    return await startForeground({ id, runtime, name: `${this.#records.dirOf(id)}/run`, args: files => runtime.runArgs(id, bundlePath, files) }, request, signal);
  }

  /**
   * Moves aside every log that reached `maxBytes`; for `RotateLoop`. conmon is told once each time, and once more by the next agent.
   *
   * @throws what one of them did, once all others were looked at
   */
  async rotateLogs(maxBytes: number): Promise<void> {
    const listed = this.#records.list();
    for (const id of [...this.#reopening].filter(one => !listed.includes(one))) this.#reopening.delete(id);
    const failures: Error[] = [];
    for (const id of listed) {
      await this.#rotateLog(id, maxBytes).catch((error: unknown) => { failures.push(error as Error); });
    }
    if (failures[0] !== undefined) throw failures[0];
  }

  async #rotateLog(id: string, maxBytes: number): Promise<void> {
    const record = this.#records.read(id);
    if (record?.monitor === undefined || !isRunning(record.monitor)) {
      this.#reopening.delete(id);
      return;
    }
    const outcome = await moveLogAside(record.logPath, maxBytes);
    if (outcome !== 'missing') this.#reopening.delete(id);
    if (outcome !== 'small' && !this.#reopening.has(id)) {
      await tellMonitor(record.bundlePath, REOPEN_LOG);
      this.#reopening.add(id);
    }
  }

  isAlive(identity: ProcessIdentity): Promise<boolean> {
    return Promise.resolve(isRunning(identity));
  }

  /** Starts conmon, which daemonizes and has the runtime create the container, and waits for its word. */
  async #spawnMonitor(request: ContainerRequest, runtime: RuntimeProcess): Promise<void> {
    const { id, bundlePath, logPath, terminal, stdin } = request;
    const args = conmonArgs({
      id, bundlePath, logPath, terminal, stdin, runtimePath: runtime.program, runtimeRoot: runtime.root,
      exitDir: this.#records.exitDir, recordDir: this.#records.dirOf(id),
    });
    const sync = makePipe();
    const silence = { path: '/dev/null' };
    let pid: number;
    try {
      pid = await spawnProcess({
        program: this.#options.conmonPath, args, environment: { ...TOOL_ENVIRONMENT, _OCI_SYNCPIPE: String(SYNC_FD) },
        // An OOM is also noted by an empty file `oom` in the working directory. Source: conmon, src/oom.c, write_oom_files
        directory: bundlePath,
        files: new Map<number, { readonly path: string } | { readonly fd: number }>([[0, silence], [1, silence], [2, silence], [SYNC_FD, { fd: sync.writeFd }]]),
      });
    } catch (error) {
      closeSync(sync.readFd);
      throw error;
    } finally {
      closeSync(sync.writeFd);
    }
    const word = await this.#readWord(id, sync.readFd);
    if (word === undefined) {
      killSession(pid);
    }
    await reapSoon(pid);
    requireCreated(id, word);
  }

  /**
   * The first line conmon writes; undefined when it says nothing in time, or never will.
   *
   * A runtime that died after it made the container's process leaves conmon in a read of that process's stderr, without end.
   * Source: conmon 2.1, src/conmon.c, "Read from container stderr for any error"
   */
  async #readWord(id: string, fd: number): Promise<string | undefined> {
    const { clock } = this.#options;
    const over = new AbortController();
    const { socket, line } = readLine(fd);
    const watched = (async () => {
      const deadlineMs = clock.monotonicMs() + CREATE_TIMEOUT_MS;
      for (let idleLooks = 0; idleLooks < MAX_IDLE_LOOKS && clock.monotonicMs() < deadlineMs;) {
        await clock.sleep(CREATOR_LOOK_MS, over.signal);
        idleLooks = this.#isCreating(id) ? 0 : idleLooks + 1;
      }
      socket.destroy();
    })().catch(() => { /* the word came */ });
    try {
      return await line;
    } finally {
      over.abort(WORD_CAME);
      await watched;
      socket.destroy();
    }
  }

  /** True while the monitor is not known yet, or has a child that is not in the container's control group: the runtime. */
  #isCreating(id: string): boolean {
    const { monitor } = this.#records.processes(id);
    return monitor === undefined || hasChildOutside(monitor.pid, id);
  }

  /** A container whose monitor is gone has no reader and no exit code any more: it is killed, so that its end can be told. */
  async #endOrOrphan(id: string): Promise<ContainerEnd | undefined> {
    const end = await this.readEnd(id);
    const record = end === undefined ? this.#records.read(id) : undefined;
    if (record?.monitor !== undefined && !isRunning(record.monitor) && this.#records.readEnd(id) === undefined) {
      await this.#options.cgroups.killAll(id);
      return await this.readEnd(id);
    }
    return end;
  }

  /** Waits until conmon ended by itself, then kills it. */
  async #endMonitor(id: string, monitor: ProcessIdentity): Promise<void> {
    const isIt = (): boolean => isRunning(monitor);
    if (!isMonitorOf(id, monitor)) {
      return;
    }
    const deadlineMs = this.#options.clock.monotonicMs() + MONITOR_GRACE_MS;
    while (isIt() && this.#options.clock.monotonicMs() < deadlineMs) {
      await this.#options.clock.sleep(MONITOR_POLL_MS, new AbortController().signal);
    }
    signalProcess(monitor.pid, 'SIGKILL', isIt);
  }

  async #waitGone(record: ContainerRecord, signal: AbortSignal): Promise<void> {
    const monitor = record.monitor;
    while (monitor !== undefined && !signal.aborted && isRunning(monitor)) {
      await this.#options.clock.sleep(MONITOR_POLL_MS * 4, signal).catch(() => undefined);
    }
  }

  #runtime(name: string): RuntimeProcess {
    const runtime = this.#runtimes.get(name);
    if (runtime === undefined) {
      throw new ClusterError('FAILED_PRECONDITION', `runtime ${name} is not one of this node's: ${[...this.#runtimes.keys()].join(' ')}`);
    }
    return runtime;
  }

  #runtimeOf(id: string): RuntimeProcess {
    return this.#runtime(this.#requireRecord(id).runtime);
  }

  #requireRecord(id: string): ContainerRecord {
    const record = this.#records.read(id);
    if (record === undefined) {
      throw new ClusterError('FAILED_PRECONDITION', `container ${id} is not running: nothing of it is on this node`);
    }
    return record;
  }
}

/** False when it is gone, or the signal is none that Node knows. */
function signalDirectly(container: ProcessIdentity, signal: string): boolean {
  const name = knownSignal(signal);
  return name !== undefined && signalProcess(container.pid, name, () => isRunning(container));
}

function isRunning(identity: ProcessIdentity): boolean {
  return isSameProcess(identity, identify(identity.pid));
}

/** `{"data": PID}` or `{"data": -1, "message": WHY}`. Source: conmon, src/parent_pipe_fd.c */
function requireCreated(id: string, word: string | undefined): void {
  if (word === undefined) {
    throw new ClusterError('DEADLINE_EXCEEDED', `container ${id}: its monitor said nothing`);
  }
  const { data = -1, message = '' } = JSON.parse(word) as { readonly data?: number; readonly message?: string };
  if (data <= 0) {
    throw new ClusterError('FAILED_PRECONDITION', `container ${id} cannot be created: ${message.trim()}`);
  }
}

/** Kills a monitor that is still at its create, and with it the runtime: both are in the session that it made. Source: conmon, src/conmon.c, setsid */
function abandonCreate(id: string, monitor: ProcessIdentity): void {
  if (isMonitorOf(id, monitor)) {
    killSession(monitor.pid);
  }
}

/** False when it is gone, or its pid is another program's. */
function isMonitorOf(id: string, monitor: ProcessIdentity): boolean {
  return commandOf(monitor.pid).includes(id) && isRunning(monitor);
}

/** Words of its command line; none when it is gone. */
function commandOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
