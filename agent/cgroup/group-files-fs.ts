import { closeSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync, write, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { GroupFiles } from './ports.ts';

const writeThere = promisify(write);

/**
 * Group files of this machine. They are in memory, so I/O is synchronous: a thread for each of
 * about a hundred calls per start would cost more than all calls, and each read in a thread takes
 * 64 KiB.
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

/**
 * Returns true if the group or the process no longer exists. Source: cgroups(7): reads of a removed
 * group return ENODEV; proc(5): ESRCH
 */
export function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENODEV' || code === 'ESRCH';
}
