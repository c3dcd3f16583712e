/** Logs of containers as conmon writes them: read from the end, since a time, or followed; rotated without a lost line. */
import { open, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Clock } from '#kit/clock.ts';
import { watchIfPossible } from '../watch-fs.ts';
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

/** The current file and two older ones: `log`, `log.1`, `log.2`. */
export const LOG_FILES = 3;
export const LOG_MAX_BYTES = 10 * 1024 * 1024;
const BLOCK_BYTES = 65_536;
/** A follower looks this often, whatever the kernel tells it. */
const FOLLOW_POLL_MS = 1000;
const NEWLINE = 10;

/** Records in order, in batches of one read; memory is bounded by one block. A log that is not there (yet) is empty. */
export async function* readLog(path: string, query: LogQuery, reading: LogReading, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
  const files: OpenLog[] = [];
  const newer = new NewerLogs(path, files);
  const wakeups = watchFile(path, reading.clock, { signal, onRotated: () => { if (query.follow) void newer.look(); } });
  try {
    files.push(...await openLogs(path));
    await seekTail(files, query.tail);
    for (;;) {
      const hasEnded = reading.ended.aborted;
      do {
        yield* readToEnd(files, query.sinceMs, signal);
      } while (await newer.look());
      if (!query.follow || hasEnded || signal.aborted) {
        return;
      }
      await wakeups.next(reading.ended);
      if (files.length === 0) {
        files.push(...await openLogs(path));
      }
    }
  } finally {
    wakeups.close();
    await newer.close();
  }
}

/**
 * Moves a log of at least `maxBytes` aside. Until conmon was told to open it anew, lines go on into the old file, which readers read
 * to its end.
 *
 * @returns whether conmon is to be told: `missing` where somebody moved it aside and may or may not have said so. Told twice, conmon
 * would lose what it wrote in between
 */
export async function moveLogAside(path: string, maxBytes: number): Promise<'small' | 'moved' | 'missing'> {
  const facts = await stat(path).catch(absent);
  if (facts === undefined) {
    return 'missing';
  }
  if (facts.size < maxBytes) {
    return 'small';
  }
  const names = namesOf(path);
  await rm(names.at(-1) ?? '', { force: true });
  for (let index = names.length - 2; index >= 0; index -= 1) {
    await rename(names[index] ?? '', names[index + 1] ?? '').catch(absent);
  }
  return 'moved';
}

interface OpenLog {
  readonly handle: FileHandle;
  readonly inode: bigint;
  /** Where the next read starts: always the start of a record. */
  position: number;
}

/** What there is now, oldest first: looked at again until no rotation came between. */
async function openLogs(path: string): Promise<OpenLog[]> {
  for (;;) {
    const files = await openEach(path);
    const inodes = await Promise.all(namesOf(path).map(async name => (await stat(name, { bigint: true }).catch(absent))?.ino));
    if (inodes.every((inode, index) => inode === files[index]?.inode)) {
      return files.filter(file => file !== undefined).reverse();
    }
    await Promise.all(files.map(async file => { await file?.handle.close(); }));
  }
}

/** By place, the current one first. */
async function openEach(path: string): Promise<(OpenLog | undefined)[]> {
  return await Promise.all(namesOf(path).map(async name => {
    const handle = await open(name, 'r').catch(absent);
    return handle === undefined ? undefined : { handle, inode: (await handle.stat({ bigint: true })).ino, position: 0 };
  }));
}

function namesOf(path: string): readonly string[] {
  return Array.from({ length: LOG_FILES }, (_, index) => index === 0 ? path : `${path}.${String(index)}`);
}

/** Reads all files but leaves the last one open, at its end. */
async function* readToEnd(files: OpenLog[], sinceMs: number | undefined, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
  for (let file = files[0]; file !== undefined && !signal.aborted; file = files[0]) {
    // Only a file that has a newer one is complete: what came to it just before that one is read too.
    const isComplete = files.length > 1;
    yield* readFrom(file, sinceMs, signal);
    if (isComplete) {
      files.shift();
      await file.handle.close();
    } else if (files.length === 1) {
      return;
    }
  }
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

/** Unread files of one follower, most: one of a container that logs faster than its reader takes it grows with what conmon writes in a second. */
const MAX_HELD_FILES = 64;

/**
 * Keeps the files of a follower open from the moment they appear: what is rotated out while it is behind stays readable until it was read.
 * Looks at one thing at a time, whoever asks.
 */
class NewerLogs {
  readonly #path: string;
  readonly #files: OpenLog[];
  #looking: Promise<boolean> = Promise.resolve(false);
  #isClosed = false;

  constructor(path: string, files: OpenLog[]) {
    this.#path = path;
    this.#files = files;
  }

  /** True when a file joined the list. */
  look(): Promise<boolean> {
    const looked = this.#looking.then(async () => !this.#isClosed && this.#files.length < MAX_HELD_FILES && await openNewer(this.#path, this.#files));
    this.#looking = looked.catch(() => false);
    looked.catch(() => { /* the reader looks again, and gets it */ });
    return looked;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#looking;
    await Promise.all(this.#files.map(file => file.handle.close()));
  }
}

/** After a rotation: the files newer than the one that was read to its end join the list; what came late to it is read first. */
async function openNewer(path: string, files: OpenLog[]): Promise<boolean> {
  const current = files.at(-1);
  const newest = await stat(path, { bigint: true }).catch(absent);
  if (current === undefined || newest === undefined || newest.ino === current.inode) {
    return false;
  }
  const all = await openLogs(path);
  const place = all.findIndex(file => file.inode === current.inode);
  const newer = place >= 0 ? all.slice(place + 1) : await writtenAfter(current, all);
  await Promise.all(all.filter(file => !newer.includes(file)).map(file => file.handle.close()));
  files.push(...newer);
  return newer.length > 0;
}

/** The current file was rotated out, or replaced by conmon at its hard limit: what was written to after it is news. */
async function writtenAfter(current: OpenLog, all: readonly OpenLog[]): Promise<readonly OpenLog[]> {
  const writtenAt = async (file: OpenLog): Promise<bigint> => (await file.handle.stat({ bigint: true })).mtimeNs;
  const endedAt = await writtenAt(current);
  const times = await Promise.all(all.map(writtenAt));
  return all.filter((_, index) => (times[index] ?? 0n) > endedAt);
}

async function seekTail(files: OpenLog[], tail: number | undefined): Promise<void> {
  if (tail === undefined) {
    return;
  }
  const scan = new TailScan(tail);
  for (let index = files.length - 1; index >= 0; index -= 1) {
    const file = files[index];
    const start = file === undefined ? undefined : await scanBackwards(file.handle, scan);
    if (file !== undefined && start !== undefined) {
      file.position = start;
      await Promise.all(files.splice(0, index).map(older => older.handle.close()));
      return;
    }
  }
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

/** Waits for a change of the log's directory entry or content, bounded by a poll. */
function watchFile(path: string, clock: Clock, { signal, onRotated }: { readonly signal: AbortSignal; readonly onRotated: () => void }): { next(ended: AbortSignal): Promise<void>; close(): void } {
  let wake: () => void = () => undefined;
  let hasChanged = false;
  const onChange = (): void => {
    hasChanged = true;
    wake();
  };
  const name = basename(path);
  const watcher = watchIfPossible(dirname(path), (kind, changed) => {
    if (changed === null || changed.startsWith(name)) {
      if (kind === 'rename') onRotated();
      onChange();
    }
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
      watcher?.close();
    },
  };
}

function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
    throw error;
  }
  return undefined;
}
