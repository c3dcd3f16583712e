import { stat } from 'node:fs/promises';
import path from 'node:path';
import { createSubvolume, deleteSubvolume, enableQuotas, isSubvolume, limitSubvolume, snapshotSubvolume } from '../kernel/btrfs-syscall.ts';
import { SyscallError } from '../kernel/file-syscall.ts';
import { CopySnapshotter } from './copy-fs.ts';
import type { TreeStore } from './copy-fs.ts';
import type { SnapshotterOptions } from './overlay-fs.ts';
import { deleteTree } from './trash-fs.ts';

const SUBVOLUMES: TreeStore = {
  driver: 'btrfs',
  create(tree) {
    createSubvolume(path.dirname(tree), path.basename(tree));
    return Promise.resolve();
  },
  snapshot(base, tree) {
    snapshotSubvolume(base, path.dirname(tree), path.basename(tree));
    return Promise.resolve();
  },
  limit(tree, bytes) {
    try {
      limitCounted(tree, bytes);
      return true;
    } catch (error) {
      if (error instanceof SyscallError) return false; // an older kernel, or quotas that somebody else set up
      throw error;
    }
  },
  async delete(tree) {
    const found = await stat(tree).catch(() => undefined);
    // What a container made a subvolume of inside keeps the outer one: then all is deleted file by file.
    if (found === undefined || !isSubvolume(found.ino) || !deleteSubvolume(path.dirname(tree), path.basename(tree))) await deleteTree(tree);
  },
};

/** Where nothing is counted yet, it is from the first limit on. */
function limitCounted(tree: string, bytes: number | undefined): void {
  try {
    limitSubvolume(tree, bytes);
  } catch (error) {
    if (!(error instanceof SyscallError) || error.code !== 'ENOTCONN' || bytes === undefined) throw error;
    enableQuotas(tree);
    limitSubvolume(tree, bytes);
  }
}

/** Subvolumes of a btrfs: a base for each list of layers, its contents shared with the layers, and a snapshot of it for each container. */
export function btrfsSnapshotter(options: SnapshotterOptions): CopySnapshotter {
  return new CopySnapshotter(options, SUBVOLUMES);
}
