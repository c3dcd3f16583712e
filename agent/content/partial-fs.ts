import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { systemClock } from '#kit/clock.ts';
import type { Digest } from '#model/digest.ts';
import { partialsToDrop } from './partial-bounds.ts';

/** Source: inode(7), st_blocks */
const BLOCK_BYTES = 512;
const REPLAY_BYTES = 256 * 1024;
/** Bytes per write: a call per piece would cost more than the piece. */
const WRITE_BYTES = 256 * 1024;

/**
 * Stores the first parts of blobs, so that an interrupted pull resumes.
 * 1. A partial has one user: a second `open` returns undefined. 2. Bytes are in the page cache
 * only: a reader hashes what it replays.
 * 3. A partial stays until `remove`, within the bounds of `partial-bounds.ts`. 4. It contains a
 * prefix of the appended bytes, at most `WRITE_BYTES` shorter until `close`.
 */
export class PartialStore {
  readonly #path: string;
  readonly #inUse = new Set<Digest>();

  constructor(statePath: string) {
    this.#path = path.join(statePath, 'partials');
  }

  async open(digest: Digest): Promise<Partial | undefined> {
    if (this.#inUse.has(digest)) {
      return undefined;
    }
    this.#inUse.add(digest);
    try {
      await mkdir(this.#path, { recursive: true, mode: 0o700 });
      await this.#trim();
      const file = await open(this.#filePath(digest), 'a+', 0o600);
      return new Partial(file, (await file.stat()).size, () => { this.#inUse.delete(digest); });
    } catch (error) {
      this.#inUse.delete(digest);
      throw error;
    }
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.#filePath(digest), { force: true });
  }

  /** Removes all unused partials. */
  async clear(): Promise<void> {
    for (const name of await this.#unused()) await rm(path.join(this.#path, name), { force: true });
  }

  /** Deletes unused partials beyond the bounds. */
  async #trim(): Promise<void> {
    const files = await Promise.all((await this.#unused()).map(async name => {
      const found = await stat(path.join(this.#path, name)).catch(() => undefined);
      return found === undefined ? [] : [{ name, bytes: found.blocks * BLOCK_BYTES, writtenAtMs: found.mtimeMs }];
    }));
    for (const name of partialsToDrop(files.flat(), systemClock.nowMs())) await rm(path.join(this.#path, name), { force: true });
  }

  async #unused(): Promise<readonly string[]> {
    const used = new Set([...this.#inUse].map(digest => path.basename(this.#filePath(digest))));
    return (await readdir(this.#path).catch(() => [])).filter(name => !used.has(name));
  }

  #filePath(digest: Digest): string {
    return path.join(this.#path, digest.replace(':', '-'));
  }
}

export class Partial {
  readonly #sizeBytes: number;
  readonly #file: FileHandle;
  readonly #onClose: () => void;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;

  constructor(file: FileHandle, sizeBytes: number, onClose: () => void) {
    this.#file = file;
    this.#sizeBytes = sizeBytes;
    this.#onClose = onClose;
  }

  /**
   * Yields the bytes that existed at `open`, in order. If there are more than `maxBytes` of the
   * blob, all are discarded: they are no prefix of it.
   */
  async *replay(maxBytes: number): AsyncGenerator<Uint8Array> {
    if (this.#sizeBytes > maxBytes) {
      await this.#file.truncate(0);
      return;
    }
    for (let at = 0; at < this.#sizeBytes;) {
      const piece = Buffer.allocUnsafe(Math.min(REPLAY_BYTES, this.#sizeBytes - at));
      const { bytesRead } = await this.#file.read(piece, 0, piece.length, at);
      if (bytesRead === 0) throw new Error('the partial became shorter');
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  }

  /** Appends `bytes`, which the caller must not change afterwards. */
  async append(bytes: Uint8Array): Promise<void> {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= WRITE_BYTES) await this.#write();
  }

  /** Ignores a failed write: the bytes are fetched again later. */
  async close(): Promise<void> {
    try {
      await this.#write().catch(() => undefined);
      await this.#file.close();
    } finally {
      this.#onClose();
    }
  }

  async #write(): Promise<void> {
    let pieces: readonly Uint8Array[] = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    while (pieces.length > 0) {
      pieces = after(pieces, (await this.#file.writev(pieces)).bytesWritten);
    }
  }
}

/** Returns `pieces` without their first `bytes`. */
function after(pieces: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skip = bytes;
  return pieces.flatMap(piece => {
    const rest = piece.subarray(Math.min(skip, piece.length));
    skip -= piece.length - rest.length;
    return rest.length === 0 ? [] : [rest];
  });
}
