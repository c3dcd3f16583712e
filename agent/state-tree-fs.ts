import { mkdir, readFile, readdir, realpath, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ClusterError } from '#model/errors.ts';
import { PASSABLE_MODE } from './machine-fs.ts';
import { parseMountPoints } from './snapshot/overlay-mounts.ts';

/** The directory without symbolic links, made where it is absent: every later path and mount is below one name. */
export async function realDirectory(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: PASSABLE_MODE });
  return await realpath(directory);
}

/**
 * Deletes what is in the directory, and the directory itself unless it is a mount point or the target of a
 * symbolic link. @throws ClusterError FAILED_PRECONDITION, with nothing deleted, while something is mounted below it
 */
export async function removeTree(directory: string): Promise<void> {
  const real = await realpath(directory).catch(() => undefined);
  if (real === undefined) return;
  const mounts = parseMountPoints(await readFile('/proc/self/mountinfo', 'utf8'));
  const below = mounts.filter(mount => mount.startsWith(`${real}/`));
  if (below.length > 0) {
    throw new ClusterError('FAILED_PRECONDITION', `${real} is kept: ${below.slice(0, 3).join(', ')} is mounted below it; unmount it and run leave again`);
  }
  for (const name of await readdir(real)) await rm(join(real, name), { recursive: true, force: true });
  if (real === directory && !mounts.includes(real)) await rmdir(real);
}
