import { statSync } from 'node:fs';
import { mkdir, open, readFile, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { threadId } from 'node:worker_threads';
import type { Digest } from '#model/digest.ts';
import type { ImageLayer } from '#model/node-images.ts';
import type { LocalImage } from './ports.ts';

/** A complete image. `allLayers` includes layers below an opaque one. */
export interface ImageRecord extends LocalImage {
  readonly version: 1;
  readonly allLayers: readonly string[];
  /** Namespaces whose login the registry accepted for it; absent if no login was needed. */
  readonly grants?: readonly string[];
  /** References `registry/repository:tag` that had this digest when they were last pulled. */
  readonly names?: readonly string[];
  readonly blobs?: readonly ImageLayer[];
  readonly pulledAtMs?: number;
}

/**
 * Stores records of complete images, one file each.
 * 1. After `save` resolved, a crash of the machine does not lose the record. 2. A record is
 * complete or absent; an unreadable file is considered absent.
 */
export class ImageRecords {
  readonly #path: string;
  #saving: Promise<void> = Promise.resolve();
  /** Records as last read, with the identity of their file. */
  readonly #known = new Map<Digest, { readonly file: string; readonly record: ImageRecord }>();

  constructor(statePath: string) {
    this.#path = path.join(statePath, 'images');
  }

  async save(record: ImageRecord): Promise<void> {
    const saved = this.#saving.then(async () => { await this.#write(record); });
    this.#saving = saved.catch(() => { /* told to its own caller */ });
    await saved;
  }

  async #write(record: ImageRecord): Promise<void> {
    await mkdir(this.#path, { recursive: true, mode: 0o700 });
    const target = this.#filePath(record.digest);
    // The agent and its pull thread may write the same record.
    const temporary = `${target}.new-${String(threadId)}`;
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(record));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
    const directory = await open(this.#path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  /** Reads each file once: each start of a container calls this. */
  async find(digest: Digest): Promise<ImageRecord | undefined> {
    const path = this.#filePath(digest);
    const file = fileOf(path);
    const known = this.#known.get(digest);
    if (known !== undefined && known.file === file) {
      return known.record;
    }
    const record = file === undefined ? undefined : await readRecord(path);
    if (record === undefined || file === undefined) this.#known.delete(digest);
    else this.#known.set(digest, { file, record });
    return record;
  }

  async list(): Promise<readonly ImageRecord[]> {
    const names = await readdir(this.#path).catch(noneYet);
    const records = await Promise.all(names.filter(name => name.endsWith('.json')).sort().map(name => readRecord(path.join(this.#path, name))));
    return records.filter(record => record !== undefined);
  }

  /** Gives the name to this image and removes it from all others. */
  async rename(digest: Digest, name: string): Promise<void> {
    for (const record of await this.list()) {
      const names = (record.names ?? []).filter(one => one !== name);
      const next = record.digest === digest ? [...names, name].sort() : names;
      if (next.join() !== (record.names ?? []).join()) await this.save({ ...record, names: next });
    }
  }

  /**
   * Returns the time of the last save or use in Unix epoch milliseconds; 0 if there is no record.
   */
  async usedAtMs(digest: Digest): Promise<number> {
    return await stat(this.#filePath(digest)).then(({ mtimeMs }) => Math.floor(mtimeMs), () => 0);
  }

  /** Sets the time of the file: this writes nothing that could fill a disk. */
  async markUsed(digest: Digest, nowMs: number): Promise<void> {
    await utimes(this.#filePath(digest), nowMs / 1000, nowMs / 1000).catch(() => { /* not there, or not to be written: only its age is less exact */ });
  }

  async remove(digest: Digest): Promise<void> {
    this.#known.delete(digest);
    await rm(this.#filePath(digest), { force: true });
  }

  #filePath(digest: Digest): string {
    return path.join(this.#path, `${digest.replace(':', '-')}.json`);
  }
}

/**
 * Returns an identity that differs after each rename. A mark of use changes other times only;
 * without a birth time, the change time is used.
 */
function fileOf(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true });
  return found === undefined ? undefined : [found.ino, found.birthtimeNs === 0n ? found.ctimeNs : found.birthtimeNs, found.size].join(' ');
}

/**
 * Returns an empty list if no image was pulled yet. Any other error must not look like an empty
 * directory, because unneeded layers are removed.
 */
function noneYet(error: unknown): readonly string[] {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  return [];
}

async function readRecord(file: string): Promise<ImageRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(file, 'utf8')) as Omit<ImageRecord, 'version'> & { readonly version: number };
    return record.version === 1 ? { ...record, version: 1 } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
