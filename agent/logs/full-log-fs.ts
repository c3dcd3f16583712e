import { readFile, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AsideFullLog } from './lost-output.ts';

/**
 * Of a log that conmon writes itself: the log and what its monitor read, where the log's disk has no room at all; undefined where it has some, or log or monitor are gone.
 * Source: proc_pid_io(5), rchar
 */
export async function seeFullLog(logPath: string, monitorPid: number): Promise<AsideFullLog | undefined> {
  try {
    const { bfree } = await statfs(dirname(logPath));
    if (bfree > 0) {
      return undefined;
    }
    const readBytes = Number(/^rchar: (\d+)$/m.exec(await readFile(`/proc/${String(monitorPid)}/io`, 'utf8'))?.[1]);
    return { readBytes, logBytes: (await stat(logPath)).size };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
