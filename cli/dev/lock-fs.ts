/** A lock between processes of one machine: a link whose text names its holder by pid and start time, made whole or not at all. */
import { readFileSync } from 'node:fs';
import { readlink, rm, symlink } from 'node:fs/promises';
import type { Clock } from '#kit/clock.ts';
import { parseProcessStat } from '#kit/process-stat-parse.ts';

const LOOK_MS = 50;

/** Runs `work` while no other process has the lock. One whose holder ended is taken over, also when its pid is another process's by now. */
export async function withLock<T>(file: string, parts: { readonly clock: Clock; readonly signal: AbortSignal }, work: () => Promise<T>): Promise<T> {
  while (!(await takeLock(file))) {
    await parts.clock.sleep(LOOK_MS, parts.signal);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function takeLock(file: string): Promise<boolean> {
  try {
    await symlink(holderNow(process.pid), file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const holder = await readlink(file).catch((failure: unknown) => (failure as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : '');
    if (holder !== undefined && holderNow(Number.parseInt(holder, 10)) !== holder) {
      await rm(file, { force: true });
    }
    return false;
  }
}

/** `PID START` of the process that has this pid now, START as in /proc/PID/stat; of none that no link has as its text. */
function holderNow(pid: number): string {
  try {
    const { startTicks } = parseProcessStat(readFileSync(`/proc/${String(pid)}/stat`, 'utf8')) ?? {};
    return `${String(pid)} ${String(startTicks)}`;
  } catch {
    return 'none'; // it ended, which is an answer
  }
}
