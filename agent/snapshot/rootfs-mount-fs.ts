/** What all drivers do with a container's root: look at it before the runtime does, and take it away. */
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { closeSync, existsSync, lstatSync, openSync } from 'node:fs';
import path from 'node:path';
import { ClusterError } from '#model/errors.ts';
import { attachMount, cloneIdmapped, detachLeftover, detachMount, MOUNT_ATTR_NODEV } from '../kernel/mount-syscall.ts';
import { MOUNT_POINTS_LAYER, RUNTIME_DIRECTORIES, RUNTIME_FILES, parseMountPoints } from './overlay-mounts.ts';
import type { IdMapping } from './ports.ts';

/** Attaches `source` at `target` with the ids of the container's user namespace; `flags` as of mount_setattr(2). */
export function attachIdmapped(source: string, target: string, mapping: IdMapping, flags: number): void {
  const userNamespace = mapping.userNamespacePath === undefined ? undefined : openSync(mapping.userNamespacePath, 'r');
  try {
    const clone = cloneIdmapped(source, userNamespace, flags);
    try {
      attachMount(clone, target);
    } finally {
      closeSync(clone);
    }
  } finally {
    if (userNamespace !== undefined) closeSync(userNamespace);
  }
}

/**
 * Attributes of a container's root file system. Programs with set-user-ID work inside; devices only where the container is root of the
 * machine: no other can make one, and those of an image are none of its.
 */
export function rootfsFlags({ userNamespacePath }: IdMapping): number {
  return userNamespacePath === undefined ? 0 : MOUNT_ATTR_NODEV;
}

/** Makes what is absent, for `owner`. @throws ClusterError FAILED_PRECONDITION when one is no plain directory */
export async function checkRuntimeDirectories(rootfs: string, owner: number): Promise<void> {
  for (const name of RUNTIME_DIRECTORIES) {
    const directory = path.join(rootfs, name);
    const found = lstatSync(directory, { throwIfNoEntry: false });
    if (found === undefined) {
      await mkdir(directory, { mode: 0o755 });
      await chown(directory, owner, owner);
    } else if (!found.isDirectory()) {
      throw new ClusterError('FAILED_PRECONDITION', `container refused: '/${name}' in the image is ${found.isSymbolicLink() ? 'a symlink' : 'no directory'}`);
    }
  }
}

/** Makes the layer with what the runtime mounts over, wholly or not at all; nothing is written where it is there. */
export async function makeMountPoints(layersPath: string): Promise<void> {
  const layer = path.join(layersPath, MOUNT_POINTS_LAYER);
  if (existsSync(layer)) return;
  await mkdir(layersPath, { recursive: true, mode: 0o700 });
  const unfinished = `${layer}.new`;
  await rm(unfinished, { recursive: true, force: true });
  for (const name of ['', ...RUNTIME_DIRECTORIES, ...RUNTIME_FILES.map(file => path.dirname(file))]) {
    await mkdir(path.join(unfinished, name), { recursive: true });
    await chmod(path.join(unfinished, name), 0o755);
  }
  for (const name of RUNTIME_FILES) {
    await writeFile(path.join(unfinished, name), '');
    await chmod(path.join(unfinished, name), 0o644);
  }
  await rename(unfinished, layer);
}

/** Also what was mounted twice. */
export async function unmountAll(target: string): Promise<void> {
  if (await detachMount(target)) unmountLeftovers(target);
}

/** What only a process that was killed has left there. */
export function unmountLeftovers(target: string): void {
  while (detachLeftover(target));
}

export async function isMountPoint(target: string): Promise<boolean> {
  return parseMountPoints(await readFile('/proc/self/mountinfo', 'utf8')).includes(target);
}
