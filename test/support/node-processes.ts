import { readFileSync, readdirSync } from 'node:fs';
import type { DevLayout } from '../../cli/dev/layout.ts';

/** Sends a signal to each process in the cgroups of the nodes: those of their containers. */
export function signalContainers(layout: DevLayout, nodes: readonly string[], signal: NodeJS.Signals): void {
  const scopes = layout.nodes.filter(({ name }) => nodes.includes(name)).map(({ scope }) => `/${scope}/`);
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    if (scopes.some(scope => cgroupsOf(pid).includes(scope))) {
      signalUnlessEnded(Number(pid), signal);
    }
  }
}

/** Empty for a process that ended. */
function cgroupsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch {
    return '';
  }
}

function signalUnlessEnded(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH: it ended since its cgroups were read.
  }
}
