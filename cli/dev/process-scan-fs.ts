/** Processes of a local cluster, found in /proc by what they carry: a path of the cluster in their arguments, or a cgroup of its nodes. */
import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DevLayout } from './layout.ts';

const GONE_LIMIT_MS = 10_000;
const LOOK_MS = 20;

/** Pids in ascending order; never our own. */
export async function findProcesses(layout: DevLayout): Promise<readonly number[]> {
  const marks = [`${layout.stateDir}/`, `${layout.runDir}/`];
  const scopes = layout.nodes.map(node => node.scope);
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) {
      continue;
    }
    const [command, cgroups] = await Promise.all(['cmdline', 'cgroup'].map(async file => await readFile(`/proc/${entry}/${file}`, 'utf8').catch(() => '')));
    const isMarked = marks.some(mark => command?.includes(mark) === true);
    const isScoped = scopes.some(scope => cgroups?.includes(`/${scope}/`) === true);
    if (isMarked || isScoped) {
      found.push(pid);
    }
  }
  return found;
}

/** Kills every process of the cluster and waits until none is left. @throws Error naming what does not die */
export async function killProcesses(layout: DevLayout): Promise<void> {
  const deadline = performance.now() + GONE_LIMIT_MS;
  for (;;) {
    const pids = await findProcesses(layout);
    if (pids.length === 0) {
      return;
    }
    if (performance.now() > deadline) {
      throw new Error(`processes of cluster ${layout.name} do not end: ${pids.join(' ')}`);
    }
    for (const pid of pids) {
      signalProcess(pid, 'SIGKILL');
    }
    await sleep(LOOK_MS);
  }
}

/** False when there is no such process. A negative pid is a process group. */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    // ESRCH: it ended meanwhile, which is what signals here are for.
    return false;
  }
}
