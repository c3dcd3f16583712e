import { closeSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync, write, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { GroupFiles } from './ports.ts';

const writeThere = promisify(write);

/**
 * This machine's. They lie in memory, so they are read and written at once: a thread's turn for each of some hundred a start costs more than all of
 * them, and reading on threads takes 64 KiB each time.
 */
export const nodeGroupFiles: GroupFiles = {
  read: path => ifThere(() => readFileSync(path, 'utf8')),
  directoriesIn: dir => (ifThere(() => readdirSync(dir, { withFileTypes: true })) ?? []).filter(entry => entry.isDirectory()).map(entry => entry.name),
  write: (path, text) => { writeFileSync(path, text, { flag: 'r+' }); },
  writeOnThread: async (path, text) => {
    const fd = openSync(path, 'r+');
    try {
      await writeThere(fd, text);
    } finally {
      closeSync(fd);
    }
  },
  remove: dir => { ifThere(() => { rmdirSync(dir); }); },
  removePlain: dir => { rmSync(dir, { recursive: true, force: true }); },
  // 0 is a process outside our pid namespace, which cannot be ours.
  kill: pid => { if (pid > 0) ifThere(() => process.kill(pid, 'SIGKILL')); },
};

function ifThere<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (!isAbsent(error)) throw error;
    return undefined;
  }
}

/** A group or a process that went away meanwhile. Source: cgroups(7): reads of a removed group answer ENODEV; proc(5): ESRCH */
export function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENODEV' || code === 'ESRCH';
}
