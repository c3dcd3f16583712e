/** The client's side of `cp` on disk. */
import { cp, lstat, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { ClusterError } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';
import type { CopyPlan, PathKind } from './copy-target.ts';

export async function localKind(file: string): Promise<PathKind> {
  return kindOf(file, stat);
}

/** Runs `unpack` on a fresh directory beside the destination, then puts what came where the plan says; nothing is left on failure. */
export async function receiveInto(plan: CopyPlan, unpack: (staging: string) => Promise<void>): Promise<void> {
  if (await localKind(plan.directory) !== 'directory') {
    throw new ClusterError('FAILED_PRECONDITION', `the directory ${plan.directory} does not exist`);
  }
  const staging = await mkdtemp(path.join(plan.directory, '.gantry-cp-'));
  try {
    await unpack(staging);
    const [top, ...others] = await readdir(staging);
    const whole = top !== undefined && others.length === 0 ? path.join(staging, top) : staging;
    const target = plan.name === undefined ? plan.directory : path.join(plan.directory, plan.name);
    await moveOver(whole, target);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Moves instead of copying: the files were written once, and a copy would fill their holes with zeros. */
async function moveOver(source: string, target: string): Promise<void> {
  const isDirectory = await kindOf(source, lstat) === 'directory';
  const there = await kindOf(target, lstat);
  if (isDirectory && there === 'directory') {
    for (const name of await readdir(source)) await moveOver(path.join(source, name), path.join(target, name));
    return;
  }
  if (isDirectory && there === 'file') {
    throw new ClusterError('FAILED_PRECONDITION', `${quoted(target)} is not a directory, but the copy has one there; remove it first`);
  }
  if (!isDirectory && there === 'directory') {
    throw new ClusterError('FAILED_PRECONDITION', `${quoted(target)} is a directory, but the copy has a file there; remove it first`);
  }
  try {
    await rename(source, target);
  } catch (error) {
    if (!NOT_MOVABLE.has((error as NodeJS.ErrnoException).code)) throw error;
    await cp(source, target, { recursive: true, force: true, verbatimSymlinks: true });
  }
}

/** The target is on another file system, or the directory may not be written to. Source: rename(2) */
const NOT_MOVABLE: ReadonlySet<string | undefined> = new Set(['EXDEV', 'EACCES']);

async function kindOf(file: string, statistics: typeof stat): Promise<PathKind> {
  try {
    return (await statistics(file)).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'absent';
    throw error;
  }
}
