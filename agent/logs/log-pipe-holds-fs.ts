import { closeSync, existsSync } from 'node:fs';
import type { ContainerRecords } from '../runtime/container-record-fs.ts';
import { openLogPipe } from './log-pipe-socket.ts';

/**
 * Keeps the pipes of logs open, never read: output of a container that ends before the log writer has
 * opened its pipe, or while there is no log writer, stays in the pipe.
 */
export class LogPipeHolds {
  readonly #records: ContainerRecords;
  readonly #held = new Map<string, number>();

  constructor(records: ContainerRecords) {
    this.#records = records;
  }

  /** Where there is no descriptor left, the pipe is not held. */
  hold(id: string): void {
    if (this.#held.has(id)) return;
    try {
      this.#held.set(id, openLogPipe(this.#records.logPipeOf(id)));
    } catch {
      // No pipe: its log is whole, or conmon writes it. No descriptor: the next call tries again.
    }
  }

  release(id: string): void {
    const fd = this.#held.get(id);
    if (fd !== undefined) closeSync(fd);
    this.#held.delete(id);
  }

  /** Holds the pipes of `ids`, and releases those of logs that are whole. */
  holdAll(ids: readonly string[]): void {
    for (const id of this.#held.keys()) {
      if (!existsSync(this.#records.logPipeOf(id))) this.release(id);
    }
    for (const id of ids) {
      if (existsSync(this.#records.logPipeOf(id))) this.hold(id);
    }
  }
}
