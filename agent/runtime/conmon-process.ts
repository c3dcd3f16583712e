import { existsSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ClusterError } from '#model/errors.ts';
import type { Clock } from '#kit/clock.ts';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import type { Cgroups } from '../cgroup/ports.ts';
import { signalProcess } from '../kernel/pidfd-syscall.ts';
import { moveLogAside } from '../logs/aside-log-fs.ts';
import { LogPipeHolds } from '../logs/log-pipe-holds-fs.ts';
import { LogWriterProcess } from '../logs/log-writer-process.ts';
import { endAbandonedExecs } from './abandoned-exec-process.ts';
import { AttachClient, REOPEN_LOG, tellMonitor } from './attach-socket.ts';
import { containerEnds } from './container-ends-flow.ts';
import { requireContainerId } from './container-id.ts';
import { ContainerRecords, isRunning } from './container-record-fs.ts';
import type { ContainerRecord } from './container-record-fs.ts';
import { startExec, startForeground } from './exec-process.ts';
import { abandonCreate, endMonitor, monitorGone, startMonitor } from './monitor-process.ts';
import type {
  ContainerEnd, ContainerRequest, ContainerRuntime, ContainerState, CreatedContainer, ExecRequest, ProcessStreams, RunRequest,
} from './ports.ts';
import { RuntimeProcess } from './runtime-process.ts';
import { knownSignal } from './signal-name.ts';

/** What is left in a pipe is in the log by then, unless a reader holds the log. */
const LOG_GRACE_MS = 2_000;
const LOG_POLL_MS = 2;

export interface ConmonRuntimeOptions {
  /** On a file system that does not survive a reboot: records, exit files, the runtimes' own state. */
  readonly stateDir: string;
  /** By the name that tasks use: `crun`, `runc`. */
  readonly programs: ReadonlyMap<string, string>;
  readonly conmonPath: string;
  readonly cgroups: Cgroups;
  readonly clock: Clock;
}

/** Containers behind conmon, one monitor each; see `ContainerRuntime` for the rules by number. */
export class ConmonRuntime implements ContainerRuntime {
  readonly #options: ConmonRuntimeOptions;
  readonly #records: ContainerRecords;
  readonly #runtimes: ReadonlyMap<string, RuntimeProcess>;
  readonly #attaches = new AttachClient();
  /** Of each container with attachments; `end` is set when it is removed. */
  readonly #attached = new Map<string, Set<{ end: ContainerEnd | undefined }>>();
  readonly #logWriter: LogWriterProcess;
  readonly #logPipes: LogPipeHolds;
  /** Containers whose monitor was told to open its log anew and has not yet. */
  readonly #reopening = new Set<string>();

  constructor(options: ConmonRuntimeOptions) {
    this.#options = options;
    this.#records = new ContainerRecords(options.stateDir);
    this.#logWriter = new LogWriterProcess(options.stateDir, options.clock);
    this.#logPipes = new LogPipeHolds(this.#records);
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
    const record: ContainerRecord = { runtime: request.runtime, bundlePath, logPath, hasLogPipe: true, terminal, stdin };
    this.#records.open(id, record);
    try {
      this.#logPipes.hold(id);
      writeFileSync(`${bundlePath}/config.json`, request.configJson, { mode: 0o600 });
      this.#options.cgroups.expectMove();
      await startMonitor(request, runtime, { ...this.#options, records: this.#records });
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
    if (record?.container !== undefined && !isRunning(record.container)) {
      await this.#runtime(record.runtime).forget(id);
    } else {
      for (const runtime of record === undefined ? this.#runtimes.values() : [this.#runtime(record.runtime)]) await runtime.delete(id);
    }
    if (monitor !== undefined) {
      await endMonitor(id, monitor, this.#options.clock);
      await this.#logWritten(id);
    }
    this.#logPipes.release(id);
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

  /** The log writer takes what is left in the pipe; one that is not there, or waits for a reader, holds up no removal. */
  async #logWritten(id: string): Promise<void> {
    const deadlineMs = this.#options.clock.monotonicMs() + LOG_GRACE_MS;
    while (this.isLogOpen(id) && this.#logWriter.isAtWork() && this.#options.clock.monotonicMs() < deadlineMs) {
      await this.#options.clock.sleep(LOG_POLL_MS, new AbortController().signal);
    }
  }

  /** Whether output of the container may be missing in its log. */
  isLogOpen(id: string): boolean {
    return existsSync(this.#records.logPipeOf(id));
  }

  hasLogPipe(id: string): boolean {
    return this.#records.read(id)?.hasLogPipe === true;
  }

  /** What the log's disk did not take of late; undefined while it has room. */
  droppedOutput(id: string): { readonly droppedBytes: number } | undefined {
    const droppedBytes = this.#records.readDropped(id);
    return droppedBytes === undefined ? undefined : { droppedBytes };
  }

  /** The container that writes the log, where it has a record. */
  writerOf(logPath: string): string | undefined {
    return this.#records.list().find(id => this.#records.read(id)?.logPath === logPath);
  }

  /** Starts the program that writes the logs where none is at work. @throws what keeps it from starting */
  ensureLogWriter(): void {
    this.#logWriter.ensure();
  }

  async endLogWriter(): Promise<void> {
    await this.#logWriter.end();
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
    const ended = monitorGone(record.monitor, this.#options.clock, signal).then(() => this.readEnd(id)).then(end => ({ code: (watch.end ?? end)?.code ?? null }))
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
   * Holds the pipes of logs, also of an earlier agent's containers. Moves aside every log that conmon writes itself and that reached `maxBytes`. For `RotateLoop`. conmon is told once each time, and once more by the next agent.
   *
   * @throws what one of them did, once all others were looked at
   */
  async rotateLogs(maxBytes: number): Promise<void> {
    const listed = this.#records.list();
    this.#logPipes.holdAll(listed);
    for (const id of [...this.#reopening].filter(one => !listed.includes(one))) this.#reopening.delete(id);
    const failures: Error[] = [];
    for (const id of listed) {
      await this.#rotateLog(id, maxBytes).catch((error: unknown) => { failures.push(error as Error); });
    }
    if (failures[0] !== undefined) throw failures[0];
  }

  async #rotateLog(id: string, maxBytes: number): Promise<void> {
    const record = this.#records.read(id);
    if (record?.monitor === undefined || record.hasLogPipe === true || !isRunning(record.monitor)) {
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

  async isAlive(identity: ProcessIdentity): Promise<boolean> {
    return await Promise.resolve(isRunning(identity));
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
