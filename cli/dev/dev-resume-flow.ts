/** `dev up` of a cluster whose supervisor is dead: its data stays, its programs start again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '#model/errors.ts';
import type { ClusterFile } from './cluster-file.ts';
import { removeCgroups } from './cgroup-fs.ts';
import { hasClusterData, hasJoined, listDown, readClusterFile, unmarkDown } from './cluster-fs.ts';
import { hasKernelSide, healNode, removeHubNetwork, removeMountNamespaces } from './hub-network-process.ts';
import { stateDirOf } from './layout.ts';
import { isProcessOf, killProcesses, signalGroup } from './process-scan-fs.ts';
import { unmountRunDir } from './run-dir-process.ts';

const END_LIMIT_MS = 10_000;
const POLL_MS = 20;

/**
 * The cluster of this name, if it was complete once: every node has joined. The caller has checked that its supervisor is dead.
 *
 * @throws ClusterError FAILED_PRECONDITION where there is data, but no cluster.json that describes it
 */
export async function findStopped(name: string): Promise<ClusterFile | undefined> {
  const file = await readClusterFile(name);
  if (file === undefined && hasClusterData(name)) {
    throw new ClusterError('FAILED_PRECONDITION', `cluster ${name} cannot continue: ${stateDirOf(name)}/cluster.json cannot be read; remove the cluster with all its Apps, images and data: clusterctl dev down ${name}`);
  }
  return file?.layout.nodes.every(node => hasJoined(file.layout, node)) === true ? file : undefined;
}

/**
 * Ends what the dead supervisor started, and undoes kills and cuts. Containers keep running: their agents adopt them.
 *
 * False where the kernel's side of the cluster is gone, as after a reboot; then nothing of it is left.
 */
export async function endPrograms(file: ClusterFile): Promise<boolean> {
  const { layout } = file;
  if (!await hasKernelSide(layout)) {
    await killProcesses(layout);
    await removeMountNamespaces(layout);
    await removeHubNetwork(layout);
    await removeCgroups(layout.nodes.map(node => node.scope));
    await unmountRunDir(layout.runDir);
    return false;
  }
  await endRecorded(file);
  for (const process of await listDown(layout)) await unmarkDown(layout, process);
  for (const node of layout.nodes) await healNode(layout, node);
  return true;
}

/** @throws Error naming what does not exit */
async function endRecorded({ layout, processes }: ClusterFile): Promise<void> {
  const pids = processes.flatMap(({ pid }) => pid ?? []);
  const deadlineMs = performance.now() + END_LIMIT_MS;
  for (;;) {
    const left = pids.filter(pid => isProcessOf(layout, pid));
    if (left.length === 0) {
      return;
    }
    if (performance.now() > deadlineMs) {
      throw new Error(`processes of cluster ${layout.name} do not exit: ${left.join(' ')}`);
    }
    left.forEach(pid => signalGroup(layout, pid, 'SIGKILL'));
    await sleep(POLL_MS);
  }
}
