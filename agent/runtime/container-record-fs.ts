/**
 * What the runtime remembers of each container, on a file system that lives as long as the boot.
 *
 * `exits/ID` is conmon's, written when the first process ends. `records/ID/` holds `record.json`, conmon's pid files, `oom`
 * and, where conmon vanished, `lost`; see `agent/logs` for `log` and `dropped`. All of it is in memory, so it is read and written at once: a thread's turn would cost ten times the call.
 */
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { isSameProcess, parseProcessStat } from '#kit/process-stat-parse.ts';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { ClusterError } from '#model/errors.ts';
import { makeFifo } from '../kernel/log-file-syscall.ts';
import { CONTAINER_PID_FILE, LOG_PIPE, MONITOR_PID_FILE } from './conmon-args.ts';
import { isContainerId, requireContainerId } from './container-id.ts';
import type { ContainerEnd } from './ports.ts';
import { processText } from './process-text-fs.ts';

export interface ContainerRecord {
  readonly runtime: string;
  readonly bundlePath: string;
  readonly logPath: string;
  /** conmon writes into the pipe `logPipeOf`. Absent: into the log itself, for an agent that knew no pipe. */
  readonly hasLogPipe?: boolean;
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** Absent until `create` has come to its end. */
  readonly container?: ProcessIdentity;
  readonly monitor?: ProcessIdentity;
}

/** Source: signal(7): 128 + SIGKILL, what the kernel's OOM killer sends */
const KILLED_CODE = 137;
/** A reader that found no exit file may add `lost` to a directory that is being emptied. */
const REMOVE_RETRIES = 5;
const REMOVE_RETRY_DELAY_MS = 5;

export class ContainerRecords {
  readonly exitDir: string;
  readonly #recordsDir: string;

  constructor(stateDir: string) {
    this.exitDir = `${stateDir}/exits`;
    this.#recordsDir = `${stateDir}/records`;
    makeDirectory(this.exitDir);
    makeDirectory(this.#recordsDir);
  }

  /** Why conmon could not keep what it has to tell, in words; undefined: it can. */
  problem(): string | undefined {
    return directoryProblem('exit codes', this.exitDir) ?? directoryProblem('records of containers', this.#recordsDir);
  }

  dirOf(id: string): string {
    return `${this.#recordsDir}/${requireContainerId(id)}`;
  }

  /** Where conmon writes the log. It is there as long as output may be missing in the log. */
  logPipeOf(id: string): string {
    return `${this.dirOf(id)}/${LOG_PIPE}`;
  }

  /** How many bytes the log's disk did not take of late; undefined: it has room. */
  readDropped(id: string): number | undefined {
    const text = readIfThere(`${this.dirOf(id)}/dropped`);
    return text === undefined ? undefined : Number(text);
  }

  writeDropped(id: string, bytes: number | undefined): void {
    const path = `${this.dirOf(id)}/dropped`;
    if (bytes === undefined) rmSync(path, { force: true });
    else writeFileSync(path, String(bytes));
  }

  /** Makes the directory that conmon writes to. @throws when there is one, or ClusterError FAILED_PRECONDITION when exits could not be written: conmon would lose the code */
  open(id: string, record: ContainerRecord): void {
    const problem = this.problem();
    if (problem !== undefined) {
      throw new ClusterError('FAILED_PRECONDITION', problem);
    }
    mkdirSync(this.dirOf(id), { mode: 0o700 });
    if (record.hasLogPipe === true) makeFifo(this.logPipeOf(id), 0o600);
    this.write(id, record);
  }

  write(id: string, record: ContainerRecord): void {
    const path = `${this.dirOf(id)}/record.json`;
    writeFileSync(`${path}.new`, JSON.stringify(record));
    renameSync(`${path}.new`, path);
  }

  read(id: string): ContainerRecord | undefined {
    const text = readIfThere(`${this.dirOf(id)}/record.json`);
    return text === undefined ? undefined : JSON.parse(text) as ContainerRecord;
  }

  /** When `write` was called last; in Unix epoch milliseconds, up to a timer tick early. */
  writtenAtMs(id: string): number | undefined {
    return writtenAtMs(`${this.dirOf(id)}/record.json`);
  }

  async remove(id: string): Promise<void> {
    orAbsent(() => { rmSync(`${this.exitDir}/${requireContainerId(id)}`, { force: true }); });
    try {
      orAbsent(() => { rmSync(this.dirOf(id), { recursive: true, force: true }); });
    } catch {
      await rm(this.dirOf(id), { recursive: true, force: true, maxRetries: REMOVE_RETRIES, retryDelay: REMOVE_RETRY_DELAY_MS });
    }
  }

  /** Where a directory is not there, nothing is in it. */
  list(): readonly string[] {
    return [...new Set([this.#recordsDir, this.exitDir].flatMap(directory => orAbsent(() => readdirSync(directory)) ?? []))].filter(isContainerId).sort();
  }

  /** The end that conmon or `markLost` wrote. conmon's `oom` tells of any process, so only code 137 makes it the first one's. */
  readEnd(id: string): ContainerEnd | undefined {
    const exitPath = `${this.exitDir}/${requireContainerId(id)}`;
    const text = readIfThere(exitPath);
    const exitedAtMs = writtenAtMs(exitPath);
    if (text !== undefined && exitedAtMs !== undefined && /^-?\d+$/.test(text.trim())) {
      const code = Number(text.trim());
      const hadOom = writtenAtMs(`${this.dirOf(id)}/oom`) !== undefined;
      return { code, isOomKilled: hadOom && code === KILLED_CODE, ...(hadOom && code !== KILLED_CODE ? { hadChildOom: true } : {}), finishedAtMs: exitedAtMs };
    }
    const lostAtMs = writtenAtMs(`${this.dirOf(id)}/lost`);
    return lostAtMs === undefined ? undefined : { code: null, isOomKilled: false, finishedAtMs: lostAtMs, reason: 'its monitor was lost' };
  }

  /** Nobody will ever know the exit code. A container that was removed meanwhile stays so. */
  markLost(id: string): void {
    try {
      writeFileSync(`${this.dirOf(id)}/lost`, '', { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  /** The processes of a container, by conmon's pid files where the record is not complete. */
  processes(id: string): { readonly container?: ProcessIdentity; readonly monitor?: ProcessIdentity } {
    const record = this.read(id);
    const container = record?.container ?? this.#pidFile(id, CONTAINER_PID_FILE);
    const monitor = record?.monitor ?? this.#pidFile(id, MONITOR_PID_FILE);
    return { ...(container === undefined ? {} : { container }), ...(monitor === undefined ? {} : { monitor }) };
  }

  /** Only used within the boot, and checked against the command line or the cgroup before anything is signalled. */
  #pidFile(id: string, name: string): ProcessIdentity | undefined {
    const text = readIfThere(`${this.dirOf(id)}/${name}`);
    return text === undefined ? undefined : identify(Number(text));
  }
}

/** The identity of process `pid` now; undefined when there is none, or a zombie. @throws what keeps the agent from looking */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = processText(pid, 'stat');
  return stat === undefined ? undefined : parseProcessStat(stat);
}

/** True while that very process is there, and no zombie. @throws what keeps the agent from looking */
export function isRunning(identity: ProcessIdentity): boolean {
  return isSameProcess(identity, identify(identity.pid));
}

/** @throws ClusterError FAILED_PRECONDITION when something else is in its place */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    if (!['EEXIST', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw new ClusterError('FAILED_PRECONDITION', `${path} is no directory: remove what is in its place`, { cause: error });
  }
}

function directoryProblem(what: string, directory: string): string | undefined {
  try {
    accessSync(`${directory}/.`, constants.W_OK);
    return undefined;
  } catch (error) {
    return `${what} could not be kept: ${directory} is not a directory that can be written (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`;
  }
}

function readIfThere(path: string): string | undefined {
  return orAbsent(() => readFileSync(path, 'utf8'));
}

/** Undefined where the file is not there, or something else is where its directory was. */
function orAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return undefined;
    }
    throw error;
  }
}

function writtenAtMs(path: string): number | undefined {
  const facts = statSync(path, { throwIfNoEntry: false });
  return facts === undefined ? undefined : Math.round(facts.mtimeMs);
}
