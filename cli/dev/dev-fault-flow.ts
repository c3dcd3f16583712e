/** Faults of a local cluster by hand: kill, start, freeze, cut, heal. */
import { ClusterError } from '#model/errors.ts';
import { nearestWord } from '#model/nearest-word.ts';
import type { ClusterFile, DevProcess } from './cluster-file.ts';
import { markDown, unmarkDown } from './cluster-fs.ts';
import { requireCluster } from './dev-down-flow.ts';
import { cutNode, healNode } from './hub-network-process.ts';
import type { CutDirection } from './hub-network-process.ts';
import type { DevNode } from './layout.ts';
import type { DevParts } from './ports.ts';
import { isProcessOf, signalGroup } from './process-scan-fs.ts';

const START_LIMIT_MS = 10_000;
const LOOK_MS = 50;

/** Kills the process with -9 and keeps it down until `startDevProcess`. */
export async function killDevProcess(cluster: string, name: string): Promise<void> {
  const file = await requireCluster(cluster);
  const process = requireProcess(file, name);
  await markDown(file.layout, name);
  if (process.pid !== undefined) {
    signalGroup(file.layout, process.pid, 'SIGKILL');
  }
}

/** Lets the supervisor start it again, and waits until it has. */
export async function startDevProcess(cluster: string, name: string, parts: DevParts): Promise<void> {
  const file = await requireCluster(cluster);
  requireProcess(file, name);
  await unmarkDown(file.layout, name);
  const deadlineMs = parts.clock.monotonicMs() + START_LIMIT_MS;
  while (parts.clock.monotonicMs() < deadlineMs) {
    const { pid } = requireProcess(await requireCluster(cluster), name);
    if (pid !== undefined && isProcessOf(file.layout, pid)) {
      return;
    }
    await parts.clock.sleep(LOOK_MS, parts.signal);
  }
  throw new ClusterError('DEADLINE_EXCEEDED', `${name} was not started within ${String(START_LIMIT_MS / 1000)} s; is the supervisor alive? see: clusterctl dev logs supervisor`);
}

/** Stops the process and its helpers where they stand; its containers and their monitors go on. `healDev` lets it go on. */
export async function freezeDevProcess(cluster: string, name: string): Promise<void> {
  const file = await requireCluster(cluster);
  const { pid } = requireProcess(file, name);
  if (pid === undefined || !signalGroup(file.layout, pid, 'SIGSTOP')) {
    throw new ClusterError('FAILED_PRECONDITION', `${name} is not running`);
  }
}

export async function cutDevNode(cluster: string, name: string, direction: CutDirection): Promise<void> {
  const file = await requireCluster(cluster);
  await cutNode(file.layout, requireNode(file, name), direction);
}

/** Undoes freezes and cuts of one process or node, or of all. */
export async function healDev(cluster: string, name: string | undefined): Promise<void> {
  const file = await requireCluster(cluster);
  const processes = name === undefined ? file.processes : [requireProcess(file, name)];
  for (const { pid } of processes) {
    if (pid !== undefined) {
      signalGroup(file.layout, pid, 'SIGCONT');
    }
  }
  for (const node of file.layout.nodes.filter(one => name === undefined || one.name === name)) {
    await healNode(file.layout, node);
  }
}

function requireProcess(file: ClusterFile, name: string): DevProcess {
  const process = file.processes.find(one => one.name === name);
  if (process === undefined) {
    throw new ClusterError('NOT_FOUND', unknownName('process', name, file.processes.map(one => one.name)));
  }
  return process;
}

function requireNode(file: ClusterFile, name: string): DevNode {
  const node = file.layout.nodes.find(one => one.name === name);
  if (node === undefined) {
    throw new ClusterError('NOT_FOUND', unknownName('node', name, file.layout.nodes.map(one => one.name)));
  }
  return node;
}

function unknownName(what: string, name: string, known: readonly string[]): string {
  const near = nearestWord(name, known);
  return `no ${what} ${name} in this cluster${near === undefined ? '' : `; did you mean ${near}?`}; there is: ${known.join(', ')}`;
}
