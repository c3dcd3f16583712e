import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { onDisk } from '../disk-fs.ts';
import { closeSoon, isAbsent, syncDirectory } from './durable-fs.ts';

/** Files grow in steps of this: what is written over has its blocks already. */
const STEP_BYTES = 64 * 1024;
/** `gantry-double 1 SEQUENCE BYTES SHA256`, and the content after the line. */
const HEADER = /^gantry-double 1 (\d{1,15}) (\d{1,10}) ([0-9a-f]{64})\n/;
const MAX_HEADER_BYTES = 128;

/**
 * One value on disk in two files, `PATH.a` and `PATH.b`, written in turn: a crash while one is written leaves the other whole.
 *
 * Writing over blocks that a file has is one flush; a new file with its rename is two commits of the journal (0.1 ms against 1.1 on one machine). And
 * it goes on when the disk is full. The line is within the first 512 bytes, which a disk writes whole or not at all.
 *
 * 1. Once `write` resolved, a crash of the machine leaves that value. 2. `read` answers the newest whole one, which is on disk then: a process that was
 * killed may not have come so far. 3. One writer, one `write` at a time.
 *
 * Source: fdatasync(2), "does not flush modified metadata unless that metadata is needed"
 */
export class DoubleFile {
  readonly #halves: readonly [string, string];
  /** Of the newest whole one; its half is the other than `#next`. */
  #sequence = 0;
  #next: 0 | 1 = 0;
  #isRead = false;

  constructor(path: string) {
    this.#halves = [`${path}.a`, `${path}.b`];
  }

  /** @throws DiskPressureError when the disk takes nothing more; the value before stays */
  async write(content: string): Promise<void> {
    if (!this.#isRead) await this.read();
    const bytes = Buffer.from(content);
    const whole = Buffer.concat([Buffer.from(`gantry-double 1 ${String(this.#sequence + 1)} ${String(bytes.length)} ${sha256(bytes)}\n`), bytes]);
    const half = this.#halves[this.#next];
    await onDisk(dirname(half), async () => { await writeHalf(half, whole); });
    this.#sequence += 1;
    this.#next = this.#next === 0 ? 1 : 0;
  }

  /** Undefined where there is none, or none whole. */
  async read(): Promise<string | undefined> {
    const [left, right] = [await readHalf(this.#halves[0]), await readHalf(this.#halves[1])];
    const isLeftNewer = (left?.sequence ?? 0) > (right?.sequence ?? 0);
    const newest = isLeftNewer ? left : right;
    if (newest !== undefined) await settle(this.#halves[isLeftNewer ? 0 : 1]);
    this.#sequence = newest?.sequence ?? 0;
    this.#next = isLeftNewer ? 1 : 0;
    this.#isRead = true;
    return newest?.content;
  }
}

/** Opened each time: what is mounted there may be another than before, or read-only by now. */
async function writeHalf(path: string, whole: Buffer): Promise<void> {
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const { size } = await handle.stat();
    if (whole.length <= size) {
      await writeAll(handle, whole);
      await handle.datasync();
      return;
    }
    const grown = Math.ceil(whole.length / STEP_BYTES) * STEP_BYTES;
    await writeAll(handle, Buffer.concat([whole, Buffer.alloc(grown - whole.length)]));
    await handle.sync();
    await syncDirectory(dirname(path));
  } finally {
    closeSoon(handle);
  }
}

/** What is read is what a crash leaves. */
async function settle(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
    await syncDirectory(dirname(path));
  } finally {
    closeSoon(handle);
  }
}

/** From the file's beginning. A disk that becomes full answers with less than was given, and says so at the next call. Source: write(2) */
async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += (await handle.write(bytes, at, bytes.length - at, at)).bytesWritten;
  }
}

async function readHalf(path: string): Promise<{ readonly sequence: number; readonly content: string } | undefined> {
  const whole = await readFile(path).catch((error: unknown) => {
    if (isAbsent(error)) return undefined;
    throw error;
  });
  const [line = '', sequence = '', length = '', digest = ''] = HEADER.exec(whole?.toString('latin1', 0, MAX_HEADER_BYTES) ?? '') ?? [];
  const content = whole?.subarray(line.length, line.length + Number(length));
  return content === undefined || line === '' || sha256(content) !== digest ? undefined : { sequence: Number(sequence), content: content.toString('utf8') };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
