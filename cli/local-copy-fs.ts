/** The client's side of `cp` on disk. */
import { cp, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { ClusterError } from '#model/errors.ts';
import type { CopyPlan, PathKind } from './copy-target.ts';

export async function localKind(file: string): Promise<PathKind> {
  try {
    return (await stat(file)).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return 'absent';
    }
    throw error;
  }
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
    await cp(whole, target, { recursive: true, force: true, verbatimSymlinks: true });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}
