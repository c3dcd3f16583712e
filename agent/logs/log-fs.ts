/** Logs of containers: read from the end, since a time, or followed. */
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Clock } from '#kit/clock.ts';
import { watchIfPossible } from '../watch-fs.ts';
import { parseLogLine, splitLines, TAG_OFFSET, TailScan } from './log-line.ts';
import type { LogRecord } from './log-line.ts';
import { HeldLogs } from './open-logs-fs.ts';
import type { OpenLog } from './open-logs-fs.ts';

export interface LogQuery {
  readonly follow: boolean;
  /** Whole lines from the end; absent: all. */
  readonly tail?: number;
  readonly sinceMs?: number;
}

export interface LogReading {
  /** Aborts when the container ended and all its output is in the log: a follower then reads what is left and ends. */
  readonly ended: AbortSignal;
  readonly clock: Clock;
}

const BLOCK_BYTES = 65_536;
/** A follower looks this often, whatever the kernel tells it. */
const FOLLOW_POLL_MS = 1000;
/** A reader whose client takes nothing for so long holds the container back no more. */
const STALL_MS = 10_000;
const NEWLINE = 10;

/**
 * Records in order, in batches of one read; memory is bounded by one block. A log that is not there (yet) is empty.
 *
 * @throws ClusterError when the container wrote what was not read yet, and it is deleted: see `HeldLogs`
 */
export async function* readLog(path: string, query: LogQuery, reading: LogReading, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
  const held = new HeldLogs(path);
  const onRotated = (): void => { if (query.follow) held.look().catch(() => { /* the reader looks again, and gets it */ }); };
  const wakeups = watchFile(path, reading.clock, { signal, onRotated });
  try {
    await held.open();
    await seekTail(held.files, query.tail);
    for (;;) {
      const hasEnded = reading.ended.aborted;
      do {
        yield* whileTaken(readToEnd(held.files, query.sinceMs, signal), held, reading.clock);
      } while (query.follow && await held.look());
      if (!query.follow || hasEnded || signal.aborted) {
        return;
      }
      await wakeups.next(reading.ended);
      if (held.files.length === 0) {
        await held.open();
      }
    }
  } finally {
    wakeups.close();
    await held.close();
  }
}

/** The batches; the files are let go while the client takes none for long. */
async function* whileTaken(batches: AsyncIterable<readonly LogRecord[]>, held: HeldLogs, clock: Clock): AsyncGenerator<readonly LogRecord[]> {
  for await (const batch of batches) {
    const callOff = clock.after(STALL_MS, () => { held.letGo(); });
    try {
      yield batch;
    } finally {
      callOff();
    }
    await held.regain();
  }
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
