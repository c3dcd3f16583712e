import { closeSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { isRunning } from '../runtime/container-record-fs.ts';
import type { ContainerRecords } from '../runtime/container-record-fs.ts';
import { isContainerId } from '../runtime/container-id.ts';
import { watchIfPossible } from '../watch-fs.ts';
import { LogFiles } from './log-files-fs.ts';
import { LogPipe, openLogPipe } from './log-pipe-socket.ts';

const SWEEP_MS = 1_000;
/** A container's record is written a moment after its directory. */
const RECORD_POLL_MS = 5;
const RECORD_POLLS = 40;
/** An outage of the disk is over when so many sweeps in a row dropped nothing. */
const CALM_SWEEPS = 10;

interface OpenLog {
  readonly pipe: LogPipe;
  readonly files: LogFiles;
  /** State of the present outage of the disk of the log. */
  droppedBytes: number;
  calmSweeps: number;
  wasIdle: boolean;
}

/** Writes the logs of all containers that have a pipe: of new ones by inotify, of all by a sweep each second. */
export class LogWriterLoop {
  readonly #records: ContainerRecords;
  readonly #logs = new Map<string, OpenLog>();

  constructor(records: ContainerRecords) {
    this.#records = records;
  }

  /** Runs until the process ends. */
  start(): void {
    this.sweep();
    setInterval(() => { this.sweep(); }, SWEEP_MS);
    watchIfPossible(dirname(this.#records.dirOf('x')), (_event, name) => {
      if (name !== null && isContainerId(name)) this.#openSoon(name, RECORD_POLLS);
    });
  }

  /** All that was read is written. */
  close(): void {
    for (const { pipe } of this.#logs.values()) pipe.close();
  }

  sweep(): void {
    for (const id of this.#records.list()) {
      tolerate(() => { this.#open(id); });
    }
    for (const [id, log] of this.#logs) {
      tolerate(() => { this.#tellDropped(id, log); });
      tolerate(() => { this.#endIfAbandoned(id, log); });
    }
  }

  #openSoon(id: string, polls: number): void {
    tolerate(() => {
      if (!this.#open(id) && polls > 0) setTimeout(() => { this.#openSoon(id, polls - 1); }, RECORD_POLL_MS);
    });
  }

  /** False while there is no record. */
  #open(id: string): boolean {
    if (this.#logs.has(id)) return true;
    const record = this.#records.read(id);
    if (record?.hasLogPipe !== true) return record !== undefined;
    const path = this.#records.logPipeOf(id);
    const fd = unlessAbsent(() => openLogPipe(path));
    if (fd === undefined) return true; // it is whole
    const files = new LogFiles(record.logPath, () => performance.now());
    files.prepare();
    const pipe = new LogPipe(fd, files, () => { this.#end(id); });
    this.#logs.set(id, { pipe, files, droppedBytes: 0, calmSweeps: 0, wasIdle: false });
    return true;
  }

  /** Without its pipe a log is whole: readers wait for that. */
  #end(id: string): void {
    const log = this.#logs.get(id);
    if (log !== undefined) tolerate(() => { this.#tellDropped(id, log); });
    this.#logs.delete(id);
    tolerate(() => { rmSync(this.#records.logPipeOf(id), { force: true }); });
  }

  /** The pipe never had a writer, or a process other than the monitor still has it: it ends once nothing comes any more. */
  #endIfAbandoned(id: string, log: OpenLog): void {
    const isIdle = log.pipe.isIdle();
    const record = this.#records.read(id);
    const isAbandoned = record === undefined || (record.monitor !== undefined && !isRunning(record.monitor));
    if (isIdle && log.wasIdle && isAbandoned) log.pipe.close();
    log.wasIdle = isIdle && isAbandoned;
  }

  #tellDropped(id: string, log: OpenLog): void {
    const { bytes } = log.files.takeDropped();
    log.droppedBytes += bytes;
    log.calmSweeps = bytes > 0 ? 0 : log.calmSweeps + 1;
    if (bytes > 0) this.#records.writeDropped(id, log.droppedBytes);
    if (log.droppedBytes > 0 && log.calmSweeps >= CALM_SWEEPS) {
      log.droppedBytes = 0;
      this.#records.writeDropped(id, undefined);
    }
  }
}

/** Opens the pipe of every log and answers what closes them again: what is in them outlives the writer before. */
export function holdLogPipes(records: ContainerRecords): () => void {
  const held = records.list().flatMap(id => {
    const fd = unlessAbsent(() => openLogPipe(records.logPipeOf(id)));
    return fd === undefined ? [] : [fd];
  });
  return () => { held.forEach(fd => { closeSync(fd); }); };
}

function unlessAbsent<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** One log that fails, e.g. for want of a descriptor, is tried again at the next sweep and keeps no other from being written. */
function tolerate(work: () => void): void {
  try {
    work();
  } catch {
    // The next sweep.
  }
}
