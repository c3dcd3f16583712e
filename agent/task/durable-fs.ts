import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { allEnded } from '#kit/all-ended.ts';
import { onDisk } from '../disk-fs.ts';

/**
 * Replaces `path` by `content`: after a crash it is wholly the old or wholly the new one, and once this resolved, the new one.
 *
 * @throws DiskPressureError when the disk takes nothing more; the old one stays
 * Source: rename(2) is atomic on one file system; fsync(2), "an explicit fsync on a file descriptor for the directory is also needed"
 */
export async function replaceDurably(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  await onDisk(dirname(path), async () => {
    const [file, directory] = await allOpened(open(temporary, 'w', 0o600), open(dirname(path), 'r'));
    try {
      await file.writeFile(content);
      await file.sync();
      await rename(temporary, path);
      await directory.sync();
    } finally {
      closeSoon(file);
      closeSoon(directory);
    }
  });
}

/** Makes `path` and its missing parents (mode 0700), so that the new entries survive a crash. */
export async function makeDirectoryDurably(path: string): Promise<void> {
  const made = await onDisk(dirname(path), async () => await mkdir(path, { recursive: true, mode: 0o700 }));
  if (made !== undefined) {
    await syncDirectory(dirname(path));
  }
}

/** Removes what is in `path`, and then itself; absent is fine. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await syncDirectory(dirname(path));
}

/** Names of the entries; none when the directory is not there. */
export async function entriesOf(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if (isAbsent(error)) {
      return [];
    }
    throw error;
  }
}

export function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** What was written is on disk or told as lost before: closing has nothing to add, and nobody waits for it. */
export function closeSoon(handle: FileHandle): void {
  handle.close().catch(() => undefined);
}

/** Both, or none. */
async function allOpened(...opening: readonly [Promise<FileHandle>, Promise<FileHandle>]): Promise<readonly [FileHandle, FileHandle]> {
  try {
    return await allEnded(opening);
  } catch (error) {
    await Promise.all((await Promise.allSettled(opening)).map(async one => { if (one.status === 'fulfilled') await one.value.close(); }));
    throw error;
  }
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(join(path, '.'), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
