/** What all drivers do with a container's root: look at it before the runtime does, and take it away. */
import { chown, lstat, mkdir, readFile } from 'node:fs/promises';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { ClusterError } from '#model/errors.ts';
import { attachMount, cloneIdmapped, detachMount } from '../kernel/mount-syscall.ts';
import { RUNTIME_DIRECTORIES, parseMountPoints } from './overlay-mounts.ts';
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

/** Makes what is absent, for `owner`. @throws ClusterError FAILED_PRECONDITION when one is no plain directory */
export async function checkRuntimeDirectories(rootfs: string, owner: number): Promise<void> {
  await Promise.all(RUNTIME_DIRECTORIES.map(async name => {
    const directory = path.join(rootfs, name);
    const found = await lstat(directory).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    if (found === undefined) {
      await mkdir(directory, { mode: 0o755 });
      await chown(directory, owner, owner);
    } else if (!found.isDirectory()) {
      throw new ClusterError('FAILED_PRECONDITION', `container refused: '/${name}' in the image is ${found.isSymbolicLink() ? 'a symlink' : 'no directory'}`);
    }
  }));
}

/** Also what was mounted twice. */
export async function unmountAll(target: string): Promise<void> {
  while (await detachMount(target));
}

export async function isMountPoint(target: string): Promise<boolean> {
  return parseMountPoints(await readFile('/proc/self/mountinfo', 'utf8')).includes(target);
}
