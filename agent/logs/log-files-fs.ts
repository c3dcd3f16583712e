/** The files of one log: `log` is written to, `log.1` is a second name of it or the file before it, `log.2` and `log.3` are older. */
import { link, rename, rm, stat } from 'node:fs/promises';
import { LOG_FILES } from './log-bounds.ts';

export interface LogFile {
  readonly name: string;
  readonly inode: bigint;
}

/** Gives the first file of a log its second name: see `keepReplaced`. */
export async function keepFirst(path: string): Promise<void> {
  await link(path, nameOf(path, 1)).catch(absent);
}

/**
 * Keeps what conmon is about to replace. At its limit conmon renames a new file to `log`, which takes the only name of the old one; `log.1` is a
 * second name that the old one keeps. Once `log` is another file than `log.1`, the older ones move by one and `log.1` names the new one too.
 *
 * @param known  what the last call returned
 * @returns the current file; undefined where there is none
 */
export async function keepReplaced(path: string, known?: bigint): Promise<{ readonly inode: bigint; readonly bytes: number } | undefined> {
  const current = await stat(path, { bigint: true }).catch(absent);
  if (current === undefined) {
    return undefined;
  }
  if (current.ino !== known && current.ino !== (await stat(nameOf(path, 1), { bigint: true }).catch(absent))?.ino) {
    await rm(nameOf(path, LOG_FILES - 1), { force: true });
    for (let place = LOG_FILES - 2; place >= 1; place -= 1) {
      await rename(nameOf(path, place), nameOf(path, place + 1)).catch(absent);
    }
    await keepFirst(path);
  }
  return { inode: current.ino, bytes: Number(current.size) };
}

/** The files that there are, each once, oldest first: looked at again until no rotation came between. */
export async function listLogFiles(path: string): Promise<readonly LogFile[]> {
  let before = await lookAtEach(path);
  for (;;) {
    const after = await lookAtEach(path);
    if (after.length === before.length && after.every(({ inode }, index) => inode === before[index]?.inode)) {
      // A file with two names is listed by the newer one.
      return after.filter(({ inode }, index) => after.findIndex(other => other.inode === inode) === index).reverse();
    }
    before = after;
  }
}

/** The current one first. */
async function lookAtEach(path: string): Promise<readonly LogFile[]> {
  const names = Array.from({ length: LOG_FILES }, (_, place) => nameOf(path, place));
  const found = await Promise.all(names.map(async name => ({ name, inode: (await stat(name, { bigint: true }).catch(absent))?.ino })));
  return found.filter((file): file is LogFile => file.inode !== undefined);
}

function nameOf(path: string, place: number): string {
  return place === 0 ? path : `${path}.${String(place)}`;
}

function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
    throw error;
  }
  return undefined;
}
