import { chmod, chown, mkdir, readdir, utimes } from 'node:fs/promises';
import { closeSync, existsSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import path from 'node:path';
import { allEnded } from '#kit/all-ended.ts';
import { UndoStack } from '#kit/undo-stack.ts';
import { ClusterError } from '#model/errors.ts';
import { SyscallError } from '../kernel/file-syscall.ts';
import { MOUNT_ATTR_RDONLY, attachMount, configureFileSystem, createMount, detachMount, mountFileSystem, openFileSystem } from '../kernel/mount-syscall.ts';
import { MOUNT_POINTS_LAYER, overlayDirectories, planOverlay } from './overlay-mounts.ts';
import type { OverlayDirectories, OverlayMount } from './overlay-mounts.ts';
import type { IdMapping, RootfsSnapshotter } from './ports.ts';
import { makeClosedDirectory } from '../closed-directory-fs.ts';
import { bytesOnDisk, holdsFiles } from './disk-usage-fs.ts';
import { attachIdmapped, checkRuntimeDirectories, isMountPoint, makeMountPoints, rootfsFlags, unmountAll, unmountLeftovers } from './rootfs-mount-fs.ts';
import { Trash } from './trash-fs.ts';

export interface SnapshotterOptions {
  /** The layer store's directory; read here, and nothing is written but a layer of the driver's own. */
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
  readonly driver = 'overlay';
  readonly #options: SnapshotterOptions;
  readonly #snapshotsPath: string;
  readonly #trash: Trash;
  #opened: Promise<void> | undefined;
  #making: Promise<void> | undefined;

  constructor(options: SnapshotterOptions) {
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
    await allEnded([makeDirectories(directories, mapping.hostBase), this.#makeMountPoints()]);
    await own(directories, statSync(path.join(this.#options.layersPath, layers.at(-1) ?? MOUNT_POINTS_LAYER)), mapping.hostBase);
    attachIdmapped(this.#options.layersPath, directories.lower, mapping, MOUNT_ATTR_RDONLY);
    mountOverlay(planOverlay(directories, [MOUNT_POINTS_LAYER, ...layers]), directories.rootfs, rootfsFlags(mapping));
    await allEnded([detachMount(directories.lower), checkRuntimeDirectories(directories.rootfs, mapping.hostBase)]);
    undo.keep();
    return { rootfsPath: directories.rootfs };
  }

  async remove(key: string): Promise<void> {
    const directories = overlayDirectories(this.#snapshotsPath, key);
    await this.#open();
    if (!existsSync(directories.top)) return;
    unmountLeftovers(directories.lower);
    await unmountAll(directories.rootfs);
    await this.#trash.discard(directories.top);
  }

  async list(): Promise<readonly string[]> {
    await this.#open();
    return (await readdir(this.#snapshotsPath)).sort();
  }

  async isMounted(key: string): Promise<boolean> {
    return await isMountPoint(overlayDirectories(this.#snapshotsPath, key).rootfs);
  }

  async writableBytes(key: string): Promise<number> {
    return await bytesOnDisk(overlayDirectories(this.#snapshotsPath, key).upper);
  }

  async holdsFiles(key: string, count: number): Promise<boolean> {
    return await holdsFiles(overlayDirectories(this.#snapshotsPath, key).upper, count);
  }

  /** A directory has no quota of its own. */
  limit(): Promise<boolean> {
    return Promise.resolve(false);
  }

  /** Resolves when all that was removed is deleted. */
  async settled(): Promise<void> {
    await this.#trash.settled();
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

  /** Not when the store is opened: what is there is listed and removed on a full disk too. */
  async #makeMountPoints(): Promise<void> {
    this.#making ??= makeMountPoints(this.#options.layersPath).finally(() => { this.#making = undefined; });
    await this.#making;
  }
}

async function makeDirectories({ top, rootfs, lower, upper, work }: OverlayDirectories, hostBase: number): Promise<void> {
  await makeClosedDirectory(top, hostBase);
  await Promise.all([upper, work, rootfs, lower].map(async directory => { await mkdir(directory, { mode: 0o755 }); }));
}

/** The upper directory's root is what shows: owner, mode and times are those of the topmost layer's. The work directory's files belong to the container's root user. */
async function own({ upper, work }: OverlayDirectories, root: Stats, hostBase: number): Promise<void> {
  await allEnded([
    chown(work, hostBase, hostBase), chown(upper, hostBase + root.uid, hostBase + root.gid), chmod(upper, root.mode & 0o7777), utimes(upper, root.atime, root.mtime),
  ]);
}

function mountOverlay(plan: OverlayMount, target: string, flags: number): void {
  if (plan.kind === 'options') {
    mountFileSystem('overlay', 'overlay', target, { options: plan.options, flags });
    return;
  }
  const context = openFileSystem('overlay');
  try {
    for (const [key, value] of plan.steps) configureFileSystem(context, key, value);
    const mount = createMount(context, flags);
    try {
      attachMount(mount, target);
    } finally {
      closeSync(mount);
    }
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'EINVAL') {
      throw new ClusterError('FAILED_PRECONDITION', `${String(plan.steps.length - 3)} layers need Linux 6.7 or a shorter state path`, { cause: error });
    }
    throw error;
  } finally {
    closeSync(context);
  }
}
