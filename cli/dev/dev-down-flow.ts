/** `dev down`: nothing of a local cluster is left, in whatever state it is found. */
import { requireCommand, runCommand } from '#kit/command-process.ts';
import { ClusterError } from '#model/errors.ts';
import { linksToRemove } from './cluster-file.ts';
import { listClusters, otherClusterFiles, readClusterFile, removeClusterFile, removeFiles, withReservation } from './cluster-fs.ts';
import { removeCgroups } from './cgroup-fs.ts';
import { removeHubNetwork, removeMountNamespaces, setSetting } from './hub-network-process.ts';
import type { DevParts } from './ports.ts';
import { killProcesses } from './process-scan-fs.ts';

/** Removes one cluster; one that is not there is fine. Works from cluster.json alone, with every process dead. */
export async function devDown(name: string, parts: DevParts): Promise<void> {
  const file = await readClusterFile(name);
  if (file !== undefined) {
    const { layout } = file;
    await killProcesses(layout);
    await removeMountNamespaces(layout);
    await removeHubNetwork(layout);
    await removeCgroups(layout.nodes.map(node => node.scope));
    // A cluster that is being made meanwhile reads the settings either before, and is seen, or after; of two that are removed at once one is the last.
    await withReservation(parts, async () => {
      await restoreSettings(name, file.previousSettings);
      for (const link of linksToRemove(file, await otherClusterFiles(name))) {
        await removeLink(`/usr/local/bin/${link}`);
      }
      await parts.removeContext(name, file.contextFiles ?? []);
      await removeClusterFile(name);
    });
  }
  await removeFiles(name);
}

/** @throws ClusterError NOT_FOUND where nothing of such a cluster is on this machine */
export async function requireTraces(name: string): Promise<void> {
  const known = await listClusters();
  if (!known.includes(name)) {
    throw unknownCluster(name, known);
  }
}

/** Every cluster of this machine. */
export async function devDownAll(parts: DevParts): Promise<readonly string[]> {
  const names = await listClusters();
  for (const name of names) {
    await devDown(name, parts);
    await parts.say(`cluster ${name} removed`);
  }
  return names;
}

/** The settings of the machine before, unless another cluster still needs them. */
async function restoreSettings(name: string, previous: Readonly<Record<string, string>>): Promise<void> {
  const others = (await listClusters()).filter(other => other !== name);
  if (others.length > 0) {
    return;
  }
  for (const [setting, value] of Object.entries(previous)) {
    await setSetting(setting, value);
  }
}

/** Only a link that leads to a launcher of ours, in whichever checkout. */
async function removeLink(link: string): Promise<void> {
  const { stdout } = await runCommand('readlink', [link]);
  if (stdout.trim().endsWith('/deploy/bin/clusterctl')) {
    await requireCommand('rm', ['-f', link]);
  }
}

/** @throws ClusterError NOT_FOUND */
export async function requireCluster(name: string): Promise<NonNullable<Awaited<ReturnType<typeof readClusterFile>>>> {
  const file = await readClusterFile(name);
  if (file === undefined) {
    throw unknownCluster(name, await listClusters());
  }
  return file;
}

function unknownCluster(name: string, known: readonly string[]): ClusterError {
  return new ClusterError('NOT_FOUND', `no local cluster ${name}; ${known.length === 0 ? 'make one with: npm start' : `there is: ${known.join(', ')}`}`);
}
