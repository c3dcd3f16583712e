/** A layer store with two layers for the drivers' tests; nothing of it is left after. */
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeWhiteout } from '../../agent/kernel/file-syscall.ts';
import { RUNTIME_DIRECTORIES, RUNTIME_FILES } from '../../agent/snapshot/overlay-mounts.ts';
import type { RootfsSnapshotter } from '../../agent/snapshot/ports.ts';
import type { SnapshotterOptions } from '../../agent/snapshot/overlay-fs.ts';
import type { SnapshotterUnderTest } from '../contract/rootfs-snapshotter-contract.ts';
import { mountLoopDisk, unmountDisk } from './loop-disk.ts';
import { unmountBelow } from './node-namespaces.ts';
import { holdUserNamespace } from './user-namespace-process.ts';

export const HOST_BASE = 3_000_000;
/** Source: fcntl.h AT_FDCWD. */
const AT_FDCWD = -100;

export type SettledSnapshotter = RootfsSnapshotter & { settled(): Promise<void> };

export interface SnapshotBench extends SnapshotterUnderTest {
  readonly snapshotter: SettledSnapshotter;
  readonly statePath: string;
  readonly layersPath: string;
  readonly addLayer: (name: string, build: (directory: string) => void) => void;
  /** What the agent's next start has. */
  readonly again: () => SettledSnapshotter;
}

/** Runs `body`; after it no mount and no directory of it is left. */
export async function useSnapshots(open: (options: SnapshotterOptions) => SettledSnapshotter, fileSystem: 'disk' | 'btrfs', body: (bench: SnapshotBench) => Promise<void>): Promise<void> {
  const top = mkdtempSync('/var/tmp/gantry-snapshots-');
  const statePath = path.join(top, 'state');
  mkdirSync(statePath);
  if (fileSystem === 'btrfs') mountLoopDisk({ file: path.join(top, 'disk'), mountPoint: statePath, mebibytes: 160, type: 'btrfs' });
  try {
    await useDirectory(statePath, open, body);
    const left = mountsBelow(statePath);
    if (left.length > 0) throw new Error(`mounts left: ${left.join(' ')}`);
  } finally {
    unmountBelow(statePath);
    if (fileSystem === 'btrfs') await unmountDisk(statePath);
    rmSync(top, { recursive: true, force: true });
  }
}

async function useDirectory(statePath: string, open: (options: SnapshotterOptions) => SettledSnapshotter, body: (bench: SnapshotBench) => Promise<void>): Promise<void> {
  const layersPath = path.join(statePath, 'layers');
  const addLayer: SnapshotBench['addLayer'] = (name, build) => {
    const directory = path.join(layersPath, name);
    mkdirSync(directory, { recursive: true });
    build(directory);
  };
  addLayer('a'.repeat(64), directory => {
    writeFileSync(path.join(directory, 'low'), 'low');
    writeFileSync(path.join(directory, 'gone'), 'low');
    chownSync(path.join(directory, 'low'), 5, 6);
  });
  addLayer('b'.repeat(64), directory => {
    writeFileSync(path.join(directory, 'high'), 'high');
    makeWhiteout(AT_FDCWD, path.join(directory, 'gone'));
  });
  await using held = await holdUserNamespace(HOST_BASE);
  let starts = 0;
  const again = (): SettledSnapshotter => open({ layersPath, statePath, prefix: `test-${String(starts += 1)}` });
  const snapshotter = again();
  await body({ snapshotter, again, mapping: held.mapping, layers: ['a'.repeat(64), 'b'.repeat(64)], statePath, layersPath, addLayer });
  await snapshotter.settled();
}

/** What a root file system has besides the image's own. */
export function isMountPoint(name: string): boolean {
  return [...RUNTIME_DIRECTORIES, ...RUNTIME_FILES].some(one => one === name || one.startsWith(`${name}/`));
}

export function mountsBelow(directory: string): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter(line => line.includes(`${directory}/`));
}
