/** Directories with files of containers: the machine's other users pass none of them. */
import { chmod, chown, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { diskAnswer } from './disk-pressure.ts';
import { isAbsent } from './task/durable-fs.ts';

/** Below these each directory is a container's; a runtime in its user namespace passes by the group. */
const OF_CONTAINERS = { state: ['snapshots'], run: ['bundles', 'volumes'] } as const;
/** Only root opens files below these. */
const OF_ROOT = ['volumes', 'images/layers', 'images/staging', 'images/layer-records', 'images/images', 'snapshot-bases'];
const GROUP_PASSES = 0o710;
const OTHERS = 0o007;

/**
 * Makes directory `path` with files of one container: root's, and passable for `group` alone, which is the container's root group
 * on the machine.
 */
export async function makeClosedDirectory(path: string, group: number): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  await chown(path, 0, group);
  await chmod(path, GROUP_PASSES);
}

/** Closes what an agent of before left open. What runs has its files open or mounted, and passes no directory again. */
export async function closeLeftDirectories({ stateDir, runDir }: { readonly stateDir: string; readonly runDir: string }): Promise<void> {
  const parents = [...OF_CONTAINERS.state.map(name => join(stateDir, name)), ...OF_CONTAINERS.run.map(name => join(runDir, name))];
  for (const parent of parents) {
    for (const name of await namesIn(parent)) await close(join(parent, name));
  }
  for (const name of OF_ROOT) await close(join(stateDir, name));
}

/** A disk that takes nothing keeps no agent from its containers. */
async function close(directory: string): Promise<void> {
  try {
    const { mode } = await stat(directory);
    if ((mode & OTHERS) !== 0) await chmod(directory, mode & 0o7777 & ~OTHERS);
  } catch (error) {
    if (!isAbsent(error) && diskAnswer(error) === undefined) throw error;
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return await readdir(directory).catch((error: unknown) => {
    if (!isAbsent(error)) throw error;
    return [];
  });
}
