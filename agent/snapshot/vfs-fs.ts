import { mkdir } from 'node:fs/promises';
import { CopySnapshotter } from './copy-fs.ts';
import type { TreeStore } from './copy-fs.ts';
import type { SnapshotterOptions } from './overlay-fs.ts';
import { deleteTree } from './trash-fs.ts';

const PLAIN_TREES: TreeStore = {
  driver: 'vfs',
  async create(tree) {
    await mkdir(tree, { mode: 0o755 });
  },
  delete: deleteTree,
};

/** A whole copy of the layers for each container: works on every file system that has idmapped mounts, and shares contents where that has reflinks (XFS, btrfs). */
export function vfsSnapshotter(options: SnapshotterOptions): CopySnapshotter {
  return new CopySnapshotter(options, PLAIN_TREES);
}
