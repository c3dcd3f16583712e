/** The files of one log as its writer sees them. */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { tryLock } from '../kernel/log-file-syscall.ts';
import { cutChunk, LOG_FILE_BYTES, logFileNames } from './log-rotation.ts';

/** A reader gives up its files after 10 s without progress; one that has not by now is frozen. */
const HELD_LIMIT_MS = 15_000;
/** What is read to find the last record of a file that an earlier writer left. */
const TAIL_BYTES = 64 * 1024;
const NEWLINE = 10;

/** Output that the disk did not take. */
export interface DroppedOutput {
  readonly lines: number;
  readonly bytes: number;
}

/** Synchronous, so that a process that ends between two calls has every byte in a file. */
export class LogFiles {
  readonly #path: string;
  readonly #monotonicMs: () => number;
  #fd: number | undefined;
  #bytes = 0;
  /** Where the last whole record of the current file ends. */
  #recordEnd = 0;
  /** Where the piece that is being written starts; undefined before it is. */
  #pieceStart: number | undefined;
  #isFull = false;
  #heldSinceMs: number | undefined;
  /** The rest of a record whose beginning was dropped comes next. */
  #isSkipping = false;
  #dropped: DroppedOutput = { lines: 0, bytes: 0 };

  constructor(path: string, monotonicMs: () => number) {
    this.#path = path;
    this.#monotonicMs = monotonicMs;
  }

  /** Since the last call. */
  takeDropped(): DroppedOutput {
    const dropped = this.#dropped;
    this.#dropped = { lines: 0, bytes: 0 };
    return dropped;
  }

  /** Creates the current file where it is absent, so that there is a log before the first output. */
  prepare(): void {
    try {
      this.#open();
    } catch {
      // The first bytes are dropped and counted, or find room.
    }
  }

  /**
   * Appends `chunk`, dropping what the disk does not take.
   *
   * @returns how many bytes are dealt with: fewer than there are while a reader holds the file that must be deleted first
   */
  append(chunk: Buffer): number {
    let done = this.#skip(chunk);
    while (done < chunk.length) {
      const rest = chunk.subarray(done);
      try {
        this.#pieceStart = undefined;
        if (this.#isHeldBack()) return done;
        done += this.#appendToFile(rest);
      } catch {
        this.#drop(rest);
        return chunk.length;
      }
    }
    return done;
  }

  /** The next rotation waits for no reader. */
  waitNoLonger(): void {
    this.#heldSinceMs = Number.NEGATIVE_INFINITY;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** With room in the current file, unless a reader holds the oldest one. */
  #isHeldBack(): boolean {
    this.#open();
    return this.#isFull && !this.#rotate();
  }

  /** How many bytes it took. */
  #appendToFile(bytes: Buffer): number {
    const fd = this.#open();
    this.#pieceStart = this.#bytes;
    const { length, isFull } = cutChunk(bytes, this.#bytes);
    this.#write(fd, bytes.subarray(0, length));
    this.#isFull = isFull;
    return length;
  }

  #open(): number {
    if (this.#fd === undefined) {
      const fd = openSync(this.#path, 'a+', 0o640);
      this.#fd = fd;
      this.#bytes = fstatSync(fd).size;
      this.#recordEnd = lastRecordEnd(fd, this.#bytes);
      this.#isFull = this.#bytes >= LOG_FILE_BYTES;
    }
    return this.#fd;
  }

  #write(fd: number, bytes: Buffer): void {
    for (let written = 0; written < bytes.length;) {
      const rest = bytes.subarray(written);
      const count = writeSync(fd, rest);
      const newline = rest.lastIndexOf(NEWLINE, count - 1);
      if (newline >= 0) this.#recordEnd = this.#bytes + newline + 1;
      this.#bytes += count;
      written += count;
    }
  }

  /** What was written of a record that is not whole goes too: readers see whole records only. */
  #drop(rest: Buffer): void {
    const kept = this.#pieceStart === undefined ? 0 : Math.max(0, this.#recordEnd - this.#pieceStart);
    this.#count(rest.subarray(kept));
    this.#isSkipping = rest.at(-1) !== NEWLINE;
    if (this.#fd === undefined) return;
    try {
      ftruncateSync(this.#fd, this.#recordEnd);
      this.#bytes = this.#recordEnd;
    } catch {
      this.close(); // opened anew, it is measured again
    }
  }

  #skip(chunk: Buffer): number {
    if (!this.#isSkipping) return 0;
    const end = chunk.indexOf(NEWLINE) + 1;
    const count = end > 0 ? end : chunk.length;
    this.#count(chunk.subarray(0, count));
    this.#isSkipping = end === 0;
    return count;
  }

  #count(bytes: Buffer): void {
    let lines = 0;
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines += 1;
    this.#dropped = { lines: this.#dropped.lines + lines, bytes: this.#dropped.bytes + bytes.length };
  }

  /** False while a reader holds the oldest file. */
  #rotate(): boolean {
    const names = logFileNames(this.#path);
    const oldest = openIfThere(names.at(-1) ?? '');
    try {
      if (oldest !== undefined && this.#isHeld(oldest)) return false;
      rmSync(names.at(-1) ?? '', { force: true });
      for (let index = names.length - 2; index >= 0; index -= 1) {
        renameIfThere(names[index] ?? '', names[index + 1] ?? '');
      }
    } finally {
      if (oldest !== undefined) closeSync(oldest);
    }
    this.close();
    this.#heldSinceMs = undefined;
    this.#isFull = false;
    return true;
  }

  #isHeld(oldest: number): boolean {
    if (tryLock(oldest, 'exclusive')) return false;
    const nowMs = this.#monotonicMs();
    this.#heldSinceMs ??= nowMs;
    return nowMs - this.#heldSinceMs < HELD_LIMIT_MS;
  }
}

function lastRecordEnd(fd: number, size: number): number {
  const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
  const count = readSync(fd, tail, 0, tail.length, size - tail.length);
  const newline = tail.subarray(0, count).lastIndexOf(NEWLINE);
  return newline < 0 ? size : size - tail.length + newline + 1;
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
