import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { LogFiles } from './log-files-fs.ts';

/** As much as a pipe holds. Source: pipe(7), "Pipe capacity" */
const BUFFER_BYTES = 64 * 1024;
/** One for all pipes: what is in it is in a file, or copied, before the next read. */
const shared = Buffer.alloc(BUFFER_BYTES);
/** How often a log that waits for a reader is tried again. */
const HELD_POLL_MS = 10;

/**
 * Opens the reading end of a container's log pipe. As long as any process has one, bytes in the pipe
 * outlive the monitor that wrote them. Only the log writer reads. @throws ENOENT when the log is whole
 */
export function openLogPipe(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

/** Moves what comes out of a pipe to the files of its log. While a reader holds these, nothing is read and the container waits. */
export class LogPipe {
  readonly #files: LogFiles;
  readonly #socket: Socket;
  /** What was read and the files could not take yet. */
  #rest: Buffer = Buffer.alloc(0);
  #retry: NodeJS.Timeout | undefined;
  #hasRead = false;

  /** @param fd  of `openLogPipe`, which the pipe owns from now on. @param onEnd  every writer is gone and all is written */
  constructor(fd: number, files: LogFiles, onEnd: () => void) {
    this.#files = files;
    try {
      this.#socket = new Socket({
        fd, readable: true, writable: false,
        onread: { buffer: shared, callback: (length: number): boolean => this.#take(shared.subarray(0, length)) },
      });
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#socket.on('error', () => { /* it closes */ }).once('close', () => {
      this.#files.close();
      onEnd();
    });
  }

  /** Whether nothing came since the last call, and nothing waits. */
  isIdle(): boolean {
    const isIdle = !this.#hasRead && this.#rest.length === 0;
    this.#hasRead = false;
    return isIdle;
  }

  /** Ends it; what was read is written, whatever a reader holds. */
  close(): void {
    clearTimeout(this.#retry);
    if (this.#rest.length > 0) {
      this.#files.waitNoLonger();
      this.#files.append(this.#rest);
    }
    this.#socket.destroy();
  }

  /** False: read no more for now. */
  #take(bytes: Buffer): boolean {
    this.#hasRead = true;
    const done = this.#files.append(bytes);
    if (done === bytes.length) return true;
    this.#rest = Buffer.from(bytes.subarray(done));
    this.#tryAgain();
    return false;
  }

  #tryAgain(): void {
    this.#retry = setTimeout(() => {
      this.#rest = this.#rest.subarray(this.#files.append(this.#rest));
      if (this.#rest.length > 0) this.#tryAgain();
      else this.#socket.resume();
    }, HELD_POLL_MS);
  }
}
