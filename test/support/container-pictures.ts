import { readFileSync, readdirSync } from 'node:fs';
import type { DevLayout } from '../../cli/dev/layout.ts';

/** The first process of a running container, told apart from any other that ever had its pid. */
export interface ContainerPicture {
  readonly node: string;
  readonly task: string;
  readonly attempt: number;
  readonly pid: number;
  /** Clock ticks since boot. Source: proc_pid_stat(5), field 22 */
  readonly startTicks: number;
}

/** Every container of the cluster that has a first process now, by `node/task/attempt`. What ends while we look is left out. */
export function containerPictures(layout: DevLayout): ReadonlyMap<string, ContainerPicture> {
  const nodeOfScope = new Map(layout.nodes.map(node => [node.scope, node.name]));
  const found = new Map<string, ContainerPicture>();
  for (const entry of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    const picture = pictureOf(entry, nodeOfScope);
    if (picture !== undefined) {
      found.set(`${picture.node}/${picture.task}/${String(picture.attempt)}`, picture);
    }
  }
  return found;
}

/** As lines, to be compared. */
export function pictureLines(layout: DevLayout): readonly string[] {
  return [...containerPictures(layout).entries()].map(([name, { pid, startTicks }]) => `${name} pid ${String(pid)} from ${String(startTicks)}`).sort();
}

function pictureOf(entry: string, nodeOfScope: ReadonlyMap<string, string>): ContainerPicture | undefined {
  try {
    const [, scope = '', task = '', attempt = ''] = /\/([a-z0-9-]+)\/[a-z2-7]{12}\/gantry-([a-z2-7]{12})-(\d+)$/m.exec(readFileSync(`/proc/${entry}/cgroup`, 'utf8')) ?? [];
    const node = nodeOfScope.get(scope);
    if (node === undefined || !isFirstProcess(entry)) {
      return undefined;
    }
    const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
    // The name in parentheses may hold spaces: fields are counted after it. Field 3 is the first.
    const startTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    return { node, task, attempt: Number(attempt), pid: Number(entry), startTicks };
  } catch {
    return undefined;
  }
}

/** Pid 1 of a namespace of its own. Source: proc_pid_status(5), NSpid */
function isFirstProcess(entry: string): boolean {
  const [, ids = ''] = /^NSpid:\s+(.*)$/m.exec(readFileSync(`/proc/${entry}/status`, 'utf8')) ?? [];
  const parts = ids.trim().split(/\s+/);
  return parts.length > 1 && parts.at(-1) === '1';
}
