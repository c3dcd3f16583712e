/** Attachments to running containers, through conmon's socket and one worker thread for all of them. */
import { closeSync, constants, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ClusterError } from '#model/errors.ts';
import { makeWakeup } from '../kernel/seqpacket-syscall.ts';
import type { AttachCommand, AttachReport } from './attach-worker.ts';
import type { OutputChunk } from './output-socket.ts';
import type { ProcessStreams } from './ports.ts';

export interface AttachTarget {
  readonly bundlePath: string;
  readonly terminal: boolean;
  readonly stdin: boolean;
}

/** What the container does with its own first process; attach has no hold on it. */
export interface AttachedProcess {
  /** Resolves when the container ended and its code is known, or cannot be. */
  readonly ended: Promise<{ readonly code: number | null }>;
  signal(signal: string): Promise<void>;
}

/** conmon takes more in one packet, but cuts what does not fit its buffer. Source: conmon, src/conn_sock.h, CONN_SOCK_BUF_SIZE */
const MAX_WRITE_BYTES = 8192;
/** conmon obeys one line of what it reads at once: the next is written when it has surely taken this one. Source: tried with conmon 2.1.12 */
const BETWEEN_SIZES_MS = 40;
const TELL_AGAIN_MS = [150, 400, 1_000];
const ONE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
const END_OF_INPUT = Uint8Array.of(4);

/** The main thread's side of the worker, which is started with the first attachment. */
export class AttachClient {
  #worker: { readonly thread: Worker; readonly wakeupFd: number } | undefined;
  readonly #streams = new Map<number, AttachStreams>();
  #nextKey = 1;

  async attach(target: AttachTarget, attached: AttachedProcess): Promise<ProcessStreams> {
    const key = this.#nextKey;
    this.#nextKey += 1;
    const streams = new AttachStreams(key, target, attached, command => { this.#tell(command); });
    this.#streams.set(key, streams);
    try {
      this.#tell({ kind: 'open', key, path: `${target.bundlePath}/attach` });
    } catch (error) {
      this.#streams.delete(key);
      throw error;
    }
    await streams.opened;
    return streams;
  }

  #tell(command: AttachCommand): void {
    this.#worker ??= this.#start();
    if (command.kind === 'open') {
      this.#worker.thread.ref();
    }
    this.#worker.thread.postMessage(command);
    writeSync(this.#worker.wakeupFd, ONE);
  }

  #start(): { readonly thread: Worker; readonly wakeupFd: number } {
    const wakeupFd = makeWakeup();
    const thread = startThread(wakeupFd);
    thread.on('message', (report: AttachReport) => {
      this.#streams.get(report.key)?.hear(report);
      if (report.kind === 'closed' || report.kind === 'failed') {
        this.#streams.delete(report.key);
      }
      if (this.#streams.size === 0) {
        thread.unref(); // idle, it keeps no program alive
      }
    });
    // Without a free descriptor the thread ends at its start: its attachments end, and the next one starts another.
    thread.on('error', (error: Error) => { this.#lose(thread, error.message); });
    thread.on('exit', () => {
      this.#lose(thread, 'its thread ended');
      closeSync(wakeupFd);
    });
    thread.unref();
    return { thread, wakeupFd };
  }

  #lose(thread: Worker, message: string): void {
    if (this.#worker?.thread !== thread) return;
    this.#worker = undefined;
    for (const [key, streams] of this.#streams) {
      this.#streams.delete(key);
      streams.lose(message);
    }
  }
}

/** @throws ERR_WORKER_INIT_FAILED when no thread can be made; the descriptor is closed then */
function startThread(wakeupFd: number): Worker {
  try {
    return new Worker(workerUrl(), { workerData: { wakeupFd }, trackUnmanagedFds: false });
  } catch (error) {
    closeSync(wakeupFd);
    throw error;
  }
}

class AttachStreams implements ProcessStreams {
  readonly opened: Promise<void>;
  readonly output: AsyncIterable<OutputChunk>;
  readonly ended: Promise<{ readonly code: number | null }>;
  readonly #key: number;
  readonly #target: AttachTarget;
  readonly #attached: AttachedProcess;
  readonly #tell: (command: AttachCommand) => void;
  readonly #chunks: OutputChunk[] = [];
  readonly #writers: (() => void)[] = [];
  #isClosed = false;
  /** Why nothing more comes, though the container goes on. */
  #loss: Error | undefined;
  #size: { readonly columns: number; readonly rows: number } | undefined;
  #wakeReader: () => void = () => undefined;
  #settleOpen: (failure: Error | undefined) => void = () => undefined;

  constructor(key: number, target: AttachTarget, attached: AttachedProcess, tell: (command: AttachCommand) => void) {
    this.#key = key;
    this.#target = target;
    this.#attached = attached;
    this.#tell = tell;
    this.opened = new Promise((resolve, reject) => {
      this.#settleOpen = failure => { if (failure === undefined) resolve(); else reject(failure); };
    });
    this.output = this.#readAll();
    this.ended = attached.ended;
  }

  hear(report: AttachReport): void {
    switch (report.kind) {
      case 'opened':
        this.#settleOpen(undefined);
        return;
      case 'failed':
        this.#isClosed = true;
        this.#settleOpen(new ClusterError('FAILED_PRECONDITION', `the container takes no attachment: ${report.message}`));
        return;
      case 'data':
        this.#chunks.push({ stream: report.stream, bytes: report.bytes });
        break;
      case 'written':
        this.#writers.shift()?.();
        return;
      case 'closed':
        this.#isClosed = true;
        this.#writers.splice(0).forEach(done => { done(); });
    }
    this.#wakeReader();
  }

  /** Its thread is gone: the reader is told, who would take it for the container's end. */
  lose(message: string): void {
    this.#loss = new ClusterError('UNAVAILABLE', `the attachment was lost: ${message}; attach again`);
    this.hear({ kind: 'failed', key: this.#key, message });
    this.hear({ kind: 'closed', key: this.#key });
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length && !this.#isClosed && this.#target.stdin; offset += MAX_WRITE_BYTES) {
      const written = new Promise<void>(resolve => { this.#writers.push(resolve); });
      this.#tell({ kind: 'write', key: this.#key, bytes: bytes.slice(offset, offset + MAX_WRITE_BYTES) });
      await written;
    }
  }

  /** A terminal stays open for the next client: the byte that means the end goes to its reader. */
  async closeInput(): Promise<void> {
    if (this.#target.terminal) {
      await this.write(END_OF_INPUT);
    } else if (this.#target.stdin && !this.#isClosed) {
      this.#tell({ kind: 'end', key: this.#key });
    }
  }

  async resize(size: { readonly columns: number; readonly rows: number }, wantsRedraw = false): Promise<void> {
    if (this.#target.terminal) {
      this.#size = size;
      if (wantsRedraw) {
        await tellMonitor(this.#target.bundlePath, resizeLine({ columns: size.columns + 1, rows: size.rows + 1 }));
        await sleep(BETWEEN_SIZES_MS);
      }
      await tellMonitor(this.#target.bundlePath, resizeLine(size));
      this.#tellAgain(size).catch(() => { /* the monitor takes no line any more: its terminal ends with it */ });
    }
  }

  /** A monitor that was too busy to read line by line has dropped the newest size: it is said again. The same size twice is no change to the program. */
  async #tellAgain(size: { readonly columns: number; readonly rows: number }): Promise<void> {
    for (const delayMs of TELL_AGAIN_MS) {
      await sleep(delayMs, undefined, { ref: false });
      if (this.#isClosed || this.#size !== size) {
        return;
      }
      await tellMonitor(this.#target.bundlePath, resizeLine(size));
    }
  }

  signal(signal: string): Promise<void> {
    return this.#attached.signal(signal);
  }

  close(): void {
    if (!this.#isClosed) {
      this.#tell({ kind: 'close', key: this.#key });
    }
  }

  async *#readAll(): AsyncGenerator<OutputChunk> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          yield chunk;
          this.#tell({ kind: 'taken', key: this.#key });
        } else if (this.#loss !== undefined) {
          throw this.#loss;
        } else if (this.#isClosed) {
          return;
        } else {
          await new Promise<void>(resolve => { this.#wakeReader = resolve; });
        }
      }
    } finally {
      this.close();
    }
  }
}

function resizeLine(size: { readonly columns: number; readonly rows: number }): string {
  return `1 ${String(size.rows)} ${String(size.columns)}\n`;
}

/** See `tellMonitor`. */
export const REOPEN_LOG = '2 0 0\n';

/**
 * Writes a control line to conmon: `1 ROWS COLUMNS` resizes the terminal, `2 0 0` reopens the log. A monitor that is gone is fine.
 *
 * Source: conmon, src/ctrl.c, process_terminal_ctrl_line
 */
export async function tellMonitor(bundlePath: string, line: string): Promise<void> {
  const fifo = await open(`${bundlePath}/ctl`, constants.O_WRONLY | constants.O_NONBLOCK).catch(ifGone);
  if (fifo !== undefined) {
    await fifo.write(line).catch(ifGone).finally(() => fifo.close());
  }
}

/** Nobody has it open for reading, it is not there, or who had it open ended since. Source: fifo(7), write(2) */
function ifGone(error: unknown): undefined {
  if (!['ENXIO', 'ENOENT', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
}

/** The worker's file: beside this one in the source, beside the program in the bundle. */
function workerUrl(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './attach-worker.ts' : './attach-worker.mjs', import.meta.url);
}
