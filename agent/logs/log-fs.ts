/** Logs of containers as conmon writes them: read from the end, since a time, or followed; rotated without a lost line. */
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Clock } from '#kit/clock.ts';
import { watchDirectory } from '../watch-fs.ts';
import { LOG_FILES } from './log-bounds.ts';
import { listLogFiles } from './log-files-fs.ts';
import type { LogFile } from './log-files-fs.ts';
import { parseLogLine, splitLines, TAG_OFFSET, TailScan } from './log-line.ts';
import type { LogRecord } from './log-line.ts';

export interface LogQuery {
  readonly follow: boolean;
  /** Whole lines from the end; absent: all. */
  readonly tail?: number;
  readonly sinceMs?: number;
}

export interface LogReading {
  /** Aborts when the container ended and conmon is gone: a follower then reads what is left and ends. */
  readonly ended: AbortSignal;
  readonly clock: Clock;
}

const BLOCK_BYTES = 65_536;
/** A follower looks this often, whatever the kernel tells it. */
const FOLLOW_POLL_MS = 1000;
const NEWLINE = 10;

/**
 * Records in order, in batches of one read; memory is bounded by one block. A log that is not there (yet) is empty.
 *
 * One file is open at a time, so a reader that stands still keeps the bytes of one file on the disk. What was rotated out before the reader got
 * there is lost to it: it gets a line that says so.
 */
export async function* readLog(path: string, query: LogQuery, reading: LogReading, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
  const wakeups = watchFile(path, reading.clock, signal);
  const cursor = new LogCursor(path, query, reading.clock);
  try {
    await cursor.open();
    for (;;) {
      const hasEnded = reading.ended.aborted;
      yield* cursor.read(signal);
      if (!signal.aborted && await cursor.hasNext()) {
        // Only a file that has a newer one is complete: what came to it just before that one is read too.
        yield* cursor.read(signal);
        yield* cursor.advance();
      } else if (!query.follow || hasEnded || signal.aborted) {
        return;
      } else {
        await wakeups.next(reading.ended);
      }
    }
  } finally {
    wakeups.close();
    await cursor.close();
  }
}

/** Where one reader is: a file, the only one that it has open. */
class LogCursor {
  readonly #path: string;
  readonly #query: LogQuery;
  readonly #clock: Clock;
  #file: OpenLog | undefined;
  /** Without `follow` a container that writes faster than it is read would be read without end. */
  #filesLeft: number;

  constructor(path: string, query: LogQuery, clock: Clock) {
    this.#path = path;
    this.#query = query;
    this.#clock = clock;
    this.#filesLeft = query.follow ? Infinity : LOG_FILES;
  }

  async open(): Promise<void> {
    this.#file = await openAtTail(this.#path, this.#query.tail);
  }

  async *read(signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
    if (this.#file !== undefined) yield* readFrom(this.#file, this.#query.sinceMs, signal);
  }

  async hasNext(): Promise<boolean> {
    return this.#filesLeft > 0 && await findNext(this.#path, this.#file) !== undefined;
  }

  /** To the next file; the record says what is lost between the two. */
  async *advance(): AsyncGenerator<readonly LogRecord[]> {
    const next = await openNext(this.#path, this.#file);
    await this.close();
    this.#file = next?.file;
    this.#filesLeft -= 1;
    if (next?.isAfterLoss === true) yield [lossRecord(this.#clock.nowMs())];
  }

  async close(): Promise<void> {
    await this.#file?.handle.close();
    this.#file = undefined;
  }
}

interface OpenLog {
  readonly handle: FileHandle;
  readonly inode: bigint;
  /** Where the next read starts: always the start of a record. */
  position: number;
}

/** Undefined when the name is another file's by now. */
async function openLog({ name, inode }: LogFile): Promise<OpenLog | undefined> {
  const handle = await open(name, 'r').catch(absent);
  if (handle === undefined || (await handle.stat({ bigint: true })).ino === inode) {
    return handle === undefined ? undefined : { handle, inode, position: 0 };
  }
  await handle.close();
  return undefined;
}

interface NextLog {
  readonly file: LogFile;
  /** There may have been others between the two. */
  readonly isAfterLoss: boolean;
}

/** The file after `current`, which may be rotated out. */
async function findNext(path: string, current: OpenLog | undefined): Promise<NextLog | undefined> {
  const files = await listLogFiles(path);
  const place = files.findIndex(({ inode }) => inode === current?.inode);
  const isAfterLoss = place < 0 && current !== undefined;
  const file = isAfterLoss ? await firstWrittenAfter(current, files) : files[place + 1];
  return file === undefined ? undefined : { file, isAfterLoss };
}

async function openNext(path: string, current: OpenLog | undefined): Promise<{ readonly file: OpenLog; readonly isAfterLoss: boolean } | undefined> {
  for (let next = await findNext(path, current); next !== undefined; next = await findNext(path, current)) {
    const file = await openLog(next.file);
    if (file !== undefined) return { file, isAfterLoss: next.isAfterLoss };
  }
  return undefined;
}

async function firstWrittenAfter(current: OpenLog, files: readonly LogFile[]): Promise<LogFile | undefined> {
  const endedAt = (await current.handle.stat({ bigint: true })).mtimeNs;
  const times = await Promise.all(files.map(async ({ name }) => (await stat(name, { bigint: true }).catch(absent))?.mtimeNs ?? 0n));
  return files.find((_, index) => (times[index] ?? 0n) > endedAt);
}

function lossRecord(atMs: number): LogRecord {
  const timeText = new Date(atMs).toISOString().replace('Z', '000000+00:00');
  return { timeText, atMs, stream: 'stderr', isPartial: false, bytes: Buffer.from('[output is missing here: the container wrote faster than it was read, and older output was deleted]\n') };
}

async function* readFrom(file: OpenLog, sinceMs: number | undefined, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
  let buffer = Buffer.alloc(BLOCK_BYTES);
  while (!signal.aborted) {
    const { bytesRead } = await file.handle.read(buffer, 0, buffer.length, file.position);
    if (bytesRead === 0) {
      return;
    }
    const { lines, rest } = splitLines(buffer.subarray(0, bytesRead));
    if (lines.length === 0) {
      if (rest.length < buffer.length) {
        return; // a record that is still being written
      }
      buffer = Buffer.alloc(buffer.length * 2);
      continue;
    }
    file.position += bytesRead - rest.length;
    const records = lines.map(parseLogLine).filter(record => record !== undefined && record.atMs >= (sinceMs ?? 0)) as LogRecord[];
    if (records.length > 0) {
      yield records;
    }
    buffer = Buffer.alloc(buffer.length);
  }
}

/** The oldest file with wanted lines, at the first of them. */
async function openAtTail(path: string, tail: number | undefined): Promise<OpenLog | undefined> {
  const files = await listLogFiles(path);
  if (tail === undefined) {
    return await openFirst(files);
  }
  const scan = new TailScan(tail);
  for (const wanted of [...files].reverse()) {
    const file = await openLog(wanted);
    const start = file === undefined ? undefined : await scanBackwards(file.handle, scan);
    if (file !== undefined && start !== undefined) {
      return { ...file, position: start };
    }
    await file?.handle.close();
  }
  return await openFirst(files);
}

async function openFirst(files: readonly LogFile[]): Promise<OpenLog | undefined> {
  for (const one of files) {
    const file = await openLog(one);
    if (file !== undefined) return file;
  }
  return undefined;
}

/** Where the wanted lines start in this file; undefined when they start in an older one or at its beginning. */
async function scanBackwards(handle: FileHandle, scan: TailScan): Promise<number | undefined> {
  let end = (await handle.stat()).size;
  let isLast = true;
  while (end > 0) {
    const from = Math.max(0, end - BLOCK_BYTES);
    const block = Buffer.alloc(end - from + TAG_OFFSET + 2);
    const { bytesRead } = await handle.read(block, 0, block.length, from);
    const view = block.subarray(0, bytesRead);
    for (let newline = end - from - 1; newline >= 0; newline -= 1) {
      if (view[newline] !== NEWLINE) {
        continue;
      }
      const start = from + newline + 1;
      if (isLast) {
        scan.enter(start);
        isLast = false;
        continue;
      }
      const found = scan.visit(start, view[newline + 1 + TAG_OFFSET]);
      if (found !== undefined) {
        return found;
      }
    }
    end = from;
  }
  return isLast ? undefined : await firstRecord(handle, scan);
}

async function firstRecord(handle: FileHandle, scan: TailScan): Promise<number | undefined> {
  const tag = Buffer.alloc(1);
  await handle.read(tag, 0, 1, TAG_OFFSET);
  return scan.visit(0, tag[0]);
}

/** Waits for a change of the log's directory entry or content, bounded by a poll, which is all where the kernel has no watch left. */
function watchFile(path: string, clock: Clock, signal: AbortSignal): { next(ended: AbortSignal): Promise<void>; close(): void } {
  let wake: () => void = () => undefined;
  let hasChanged = false;
  const onChange = (): void => {
    hasChanged = true;
    wake();
  };
  const name = basename(path);
  const watcher = watchDirectory(dirname(path), changed => {
    if (changed === null || changed.startsWith(name)) onChange();
  });
  signal.addEventListener('abort', onChange);
  return {
    async next(ended) {
      const timer = new AbortController();
      ended.addEventListener('abort', onChange, { once: true });
      const woken = new Promise<void>(resolve => { wake = resolve; });
      if (!hasChanged && !ended.aborted && !signal.aborted) {
        await Promise.race([woken, clock.sleep(FOLLOW_POLL_MS, timer.signal).catch(() => undefined)]);
      }
      timer.abort();
      ended.removeEventListener('abort', onChange);
      hasChanged = false;
    },
    close() {
      signal.removeEventListener('abort', onChange);
      watcher.close();
    },
  };
}

function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
    throw error;
  }
  return undefined;
}
