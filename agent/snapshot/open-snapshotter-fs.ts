/** Tries each driver on the node's own disk, and opens the one to use. */
import { mkdir, readdir, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { diskAnswer } from '../disk-pressure.ts';
import { createSubvolume } from '../kernel/btrfs-syscall.ts';
import { mountFileSystem } from '../kernel/mount-syscall.ts';
import { btrfsSnapshotter } from './btrfs-fs.ts';
import { chooseDriver } from './driver-choice.ts';
import type { DriverChoice, DriverProblems, SnapshotterSetting } from './driver-choice.ts';
import { OverlaySnapshotter } from './overlay-fs.ts';
import type { SnapshotterOptions } from './overlay-fs.ts';
import { planOverlay } from './overlay-mounts.ts';
import type { RootfsSnapshotter, SnapshotDriver } from './ports.ts';
import { unmountAll } from './rootfs-mount-fs.ts';
import { deleteTree } from './trash-fs.ts';
import { vfsSnapshotter } from './vfs-fs.ts';

export interface OpenedSnapshotter {
  readonly snapshots: RootfsSnapshotter;
  readonly choice: DriverChoice;
}

/** @throws ClusterError FAILED_PRECONDITION when no driver of `setting` works */
export async function openSnapshotter(setting: SnapshotterSetting, options: SnapshotterOptions): Promise<OpenedSnapshotter> {
  const choice = chooseDriver(setting, await probeDrivers(options.statePath));
  return { choice, snapshots: OPEN[choice.driver](options) };
}

const OPEN: Readonly<Record<SnapshotDriver, (options: SnapshotterOptions) => RootfsSnapshotter>> = {
  overlay: options => new OverlaySnapshotter(options), btrfs: btrfsSnapshotter, vfs: vfsSnapshotter,
};

/** Why drivers do not work below `statePath`; leaves nothing, also of an earlier try that was killed. */
export async function probeDrivers(statePath: string): Promise<DriverProblems> {
  const directory = path.join(statePath, 'snapshot-probe');
  const problems = new Map<SnapshotDriver, string>();
  try {
    await clear(directory);
    await mkdir(directory, { mode: 0o700 }); // not recursive: that answers ENOENT on a read-only disk
    for (const [driver, probe] of [['overlay', probeOverlay], ['btrfs', probeBtrfs]] as const) {
      await probe(directory).catch((error: unknown) => {
        requireJudgement(error);
        problems.set(driver, error instanceof Error ? error.message : String(error));
      });
    }
    await clear(directory);
  } catch (error) {
    if (diskAnswer(error) === undefined) {
      throw error;
    }
  }
  return problems;
}

/** A disk that takes nothing now says nothing of a driver: what runs from it goes on with the first one. @throws what it answered */
function requireJudgement(error: unknown): void {
  if (diskAnswer(error) !== undefined) {
    throw error;
  }
}

async function clear(directory: string): Promise<void> {
  await unmountAll(path.join(directory, 'rootfs'));
  await deleteTree(directory);
}

/** A mount whose lower file can be hidden, which needs whiteouts and attributes of the disk. Source: overlayfs.rst, "Upper and Lower", "whiteouts" */
async function probeOverlay(top: string): Promise<void> {
  const at = (name: string): string => path.join(top, name);
  for (const name of ['upper', 'work', 'rootfs', 'lower', 'lower/layer']) await mkdir(at(name));
  await writeFile(at('lower/layer/file'), '');
  const plan = planOverlay({ top, upper: at('upper'), work: at('work'), rootfs: at('rootfs'), lower: at('lower') }, ['layer']);
  if (plan.kind !== 'options') throw new Error(`path too long: ${top}`);
  mountFileSystem('overlay', 'overlay', at('rootfs'), plan);
  await unlink(at('rootfs/file'));
  await writeFile(at('rootfs/new'), '');
  const names = await readdir(at('rootfs'));
  if (names.join() !== 'new') throw new Error(`a mount shows ${names.join()} instead of what was written`);
}

async function probeBtrfs(top: string): Promise<void> {
  createSubvolume(top, 'subvolume');
  await writeFile(path.join(top, 'subvolume/file'), '');
}
