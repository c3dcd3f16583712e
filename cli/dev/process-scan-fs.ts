/** Processes of a local cluster, found in /proc by what they carry: a path of the cluster in their arguments, or a cgroup of its nodes. */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DevLayout } from './layout.ts';

const GONE_LIMIT_MS = 10_000;
const LOOK_MS = 20;

/** Pids in ascending order; never our own. */
export async function findProcesses(layout: DevLayout): Promise<readonly number[]> {
  return (await processIds()).filter(membership(layout));
}

/** Kills every process of the cluster and waits until none is left. @throws Error naming what does not die */
export async function killProcesses(layout: DevLayout): Promise<void> {
  const isMember = membership(layout);
  const deadline = performance.now() + GONE_LIMIT_MS;
  for (;;) {
    const killed: number[] = [];
    for (const pid of await processIds()) {
      // In the turn of the look: a moment later the pid may be another process's.
      if (isMember(pid)) {
        signalProcess(pid, 'SIGKILL');
        killed.push(pid);
      }
    }
    if (killed.length === 0) {
      return;
    }
    if (performance.now() > deadline) {
      throw new Error(`processes of cluster ${layout.name} do not end: ${killed.join(' ')}`);
    }
    await sleep(LOOK_MS);
  }
}

async function processIds(): Promise<readonly number[]> {
  return (await readdir('/proc')).map(Number).filter(pid => Number.isInteger(pid) && pid !== process.pid);
}

/** True when the pid is a process of the cluster's now, not another's that has it since. */
export function isProcessOf(layout: DevLayout, pid: number): boolean {
  return membership(layout)(pid);
}

/** Signals the process's whole group. False when the pid is no process of the cluster's any more. */
export function signalGroup(layout: DevLayout, pid: number, signal: NodeJS.Signals): boolean {
  return isProcessOf(layout, pid) && signalProcess(-pid, signal);
}

/** Tells whether a process is the cluster's now. */
function membership(layout: DevLayout): (pid: number) => boolean {
  const marks = [`${layout.stateDir}/`, `${layout.runDir}/`];
  const groups = layout.nodes.map(node => `/${node.scope}/`);
  return pid => {
    const [command, cgroups] = [readNow(pid, 'cmdline'), readNow(pid, 'cgroup')];
    return marks.some(mark => command.includes(mark)) || groups.some(group => cgroups.includes(group));
  };
}

/** Empty for a process that ended. */
function readNow(pid: number, file: 'cmdline' | 'cgroup'): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/** False when there is no such process. A negative pid is a process group. */
function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    // ESRCH: it ended meanwhile, which is what signals here are for.
    return false;
  }
}
