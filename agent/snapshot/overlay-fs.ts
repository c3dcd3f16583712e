import { chmod, chown, lstat, mkdir, open, readFile, readdir, stat, utimes } from 'node:fs/promises';
import { closeSync } from 'node:fs';
import path from 'node:path';
import { UndoStack } from '#kit/undo-stack.ts';
import { ClusterError } from '#model/errors.ts';
import { SyscallError } from '../kernel/file-syscall.ts';
import { MNT_DETACH, attachMount, cloneIdmapped, configureFileSystem, createMount, mountFileSystem, openFileSystem, unmount } from '../kernel/mount-syscall.ts';
import { RUNTIME_DIRECTORIES, overlayDirectories, parseMountPoints, planOverlay } from './overlay-mounts.ts';
import type { OverlayDirectories, OverlayMount } from './overlay-mounts.ts';
import type { IdMapping, RootfsSnapshotter } from './ports.ts';
import { Trash } from './trash-fs.ts';

export interface OverlaySnapshotterOptions {
  /** The layer store's directory; read here, never written. */
  readonly layersPath: string;
  /** Directory of the snapshots and their trash; on one file system. */
  readonly statePath: string;
  /** Of temporary names; differs at each start of the process. */
  readonly prefix: string;
}

/**
 * Root file systems as overlays: the layers below, shown with the container's ids by an idmapped clone of the layer store; a directory of
 * its own above. ports.ts has the promises.
 *
 * The clone is attached only while the overlay is being mounted: overlayfs keeps its own.
 * Source: mount_setattr(2), "ID-mapped mounts"; overlayfs.rst; idmapped lower layers since Linux 5.19
 */
export class OverlaySnapshotter implements RootfsSnapshotter {
  readonly #options: OverlaySnapshotterOptions;
  readonly #snapshotsPath: string;
  readonly #trash: Trash;
  #opened: Promise<void> | undefined;

  constructor(options: OverlaySnapshotterOptions) {
    this.#options = options;
    this.#snapshotsPath = path.join(options.statePath, 'snapshots');
    this.#trash = new Trash(path.join(options.statePath, 'snapshots-trash'), options.prefix);
  }

  async prepare(key: string, layers: readonly string[], mapping: IdMapping, signal: AbortSignal): Promise<{ readonly rootfsPath: string }> {
    const directories = overlayDirectories(this.#snapshotsPath, key);
    await this.#open();
    signal.throwIfAborted();
    await this.remove(key);
    await using undo = new UndoStack();
    undo.push(`snapshot ${key}`, () => this.remove(key));
    await makeDirectories(directories, mapping.hostBase);
    await this.#copyRoot(directories.upper, layers, mapping.hostBase);
    await this.#mountAll(directories, layers, mapping);
    await checkRuntimeDirectories(directories.rootfs, mapping.hostBase);
    undo.keep();
    return { rootfsPath: directories.rootfs };
  }

  async remove(key: string): Promise<void> {
    const directories = overlayDirectories(this.#snapshotsPath, key);
    await this.#open();
    unmountAll(directories.rootfs);
    unmountAll(directories.lower);
    await this.#trash.discard(directories.top);
  }

  async list(): Promise<readonly string[]> {
    await this.#open();
    return (await readdir(this.#snapshotsPath)).sort();
  }

  async isMounted(key: string): Promise<boolean> {
    const { rootfs } = overlayDirectories(this.#snapshotsPath, key);
    return parseMountPoints(await readFile('/proc/self/mountinfo', 'utf8')).includes(rootfs);
  }

  /** Resolves when all that was removed is deleted. */
  async settled(): Promise<void> {
    await this.#trash.settled();
  }

  async #mountAll(directories: OverlayDirectories, layers: readonly string[], mapping: IdMapping): Promise<void> {
    const userNamespace = await open(mapping.userNamespacePath, 'r');
    try {
      const clone = cloneIdmapped(this.#options.layersPath, userNamespace.fd);
      try {
        attachMount(clone, directories.lower);
      } finally {
        closeSync(clone);
      }
    } finally {
      await userNamespace.close();
    }
    mountOverlay(planOverlay(directories, layers), directories.rootfs);
    unmount(directories.lower, MNT_DETACH);
  }

  /** The upper directory's root is what shows: owner and mode are those of the topmost layer's. */
  async #copyRoot(upper: string, layers: readonly string[], hostBase: number): Promise<void> {
    const top = layers.at(-1);
    if (top === undefined) return;
    const { uid, gid, mode, atime, mtime } = await stat(path.join(this.#options.layersPath, top));
    await chown(upper, hostBase + uid, hostBase + gid);
    await chmod(upper, mode & 0o7777);
    await utimes(upper, atime, mtime);
  }

  async #open(): Promise<void> {
    this.#opened ??= mkdir(this.#snapshotsPath, { recursive: true, mode: 0o711 }).then(() => this.#trash.empty());
    try {
      await this.#opened;
    } catch (error) {
      this.#opened = undefined;
      throw error;
    }
  }
}

async function makeDirectories(directories: OverlayDirectories, hostBase: number): Promise<void> {
  await mkdir(directories.top, { mode: 0o711 });
  for (const directory of [directories.upper, directories.work, directories.rootfs, directories.lower, directories.empty]) {
    await mkdir(directory, { mode: 0o755 });
  }
  // The root directory of the container, and the work directory's files, belong to its root user.
  for (const directory of [directories.upper, directories.work, directories.empty]) {
    await chown(directory, hostBase, hostBase);
  }
}

function mountOverlay(plan: OverlayMount, target: string): void {
  if (plan.kind === 'options') {
    mountFileSystem('overlay', 'overlay', target, plan.options);
    return;
  }
  const context = openFileSystem('overlay');
  try {
    for (const [key, value] of plan.steps) configureFileSystem(context, key, value);
    const mount = createMount(context);
    try {
      attachMount(mount, target);
    } finally {
      closeSync(mount);
    }
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'EINVAL') {
      throw new ClusterError('FAILED_PRECONDITION', `${String(plan.steps.length - 2)} layers need Linux 6.7 or a shorter state path`, { cause: error });
    }
    throw error;
  } finally {
    closeSync(context);
  }
}

/** Makes what is absent. @throws ClusterError FAILED_PRECONDITION when one is no plain directory */
async function checkRuntimeDirectories(rootfs: string, hostBase: number): Promise<void> {
  for (const name of RUNTIME_DIRECTORIES) {
    const directory = path.join(rootfs, name);
    const found = await lstat(directory).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    if (found === undefined) {
      await mkdir(directory, { mode: 0o755 });
      await chown(directory, hostBase, hostBase);
    } else if (!found.isDirectory()) {
      throw new ClusterError('FAILED_PRECONDITION', `container refused: '/${name}' in the image is ${found.isSymbolicLink() ? 'a symlink' : 'no directory'}`);
    }
  }
}

/** Also what was mounted twice. A busy one is detached: it goes with its last user. */
function unmountAll(target: string): void {
  for (;;) {
    try {
      unmount(target, MNT_DETACH);
    } catch (error) {
      // Source: umount2(2): EINVAL, no mount point; ENOENT, no such directory.
      if (error instanceof SyscallError && (error.code === 'EINVAL' || error.code === 'ENOENT')) return;
      throw error;
    }
  }
}
