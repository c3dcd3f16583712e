/** How much a program could write that nobody reads: what is bounded by design is told by what comes in, not by how large a process is. */
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './dev-cluster.ts';

const LIMIT_MS = 60_000;
/** A program that writes without end and wrote nothing for so long waits for its reader. */
const SILENCE_MS = 500;

/** Bytes that the program of this name in the task's control group wrote until it had to wait for its reader. */
export async function writtenUnread(taskId: string, program: string): Promise<number> {
  const pid = await eventually(`${program} in ${taskId}`, LIMIT_MS, () => readdirSync('/proc').find(name => /^\d+$/.test(name) && isIt(name, taskId, program)));
  return await eventually(`${program} to wait for its reader`, LIMIT_MS, async () => {
    const before = writtenBy(pid);
    await sleep(SILENCE_MS);
    return before > 0 && writtenBy(pid) === before && before;
  });
}

function isIt(pid: string, taskId: string, program: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8') === `${program}\n` && readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`/${taskId}/`);
  } catch {
    return false; // gone
  }
}

/** Source: proc_pid_io(5), wchar */
function writtenBy(pid: string): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
}
