/** Files of local clusters: cluster.json, the marks of processes that are to stay down. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import type { KeyPair } from '#identity/certificate-authority.ts';
import type { Clock } from '#kit/clock.ts';
import type { ClusterFile } from './cluster-file.ts';
import { createKeys, writeKeyPair } from './keys-fs.ts';
import { RUN_ROOT, STATE_ROOT, runDirOf, stateDirOf } from './layout.ts';
import type { DevLayout, DevNode } from './layout.ts';
import { withLock } from './lock-fs.ts';
import { natsConfig, registryConfig } from './process-table.ts';
import { makeRunDir, unmountRunDir } from './run-dir-process.ts';

const LOCK_FILE = '/run/gantry-dev.lock';
const MODE_PRIVATE_DIR = 0o700;
const MODE_PASSABLE_DIR = 0o711;

/** Clusters that left something on this machine: a state or a run directory. Sorted. */
export async function listClusters(): Promise<readonly string[]> {
  const names = await Promise.all([STATE_ROOT, RUN_ROOT].map(async root => await readdir(root).catch(() => [] as string[])));
  return [...new Set(names.flat())].sort();
}

export async function readClusterFile(name: string): Promise<ClusterFile | undefined> {
  try {
    return JSON.parse(await readFile(`${stateDirOf(name)}/cluster.json`, 'utf8')) as ClusterFile;
  } catch {
    // Absent, or half of a cluster that was being made or removed: there is no layout to go by.
    return undefined;
  }
}

/** Those of all clusters but `name`; one that is half made or half removed has none. */
export async function otherClusterFiles(name: string): Promise<readonly ClusterFile[]> {
  const files = await Promise.all((await listClusters()).filter(other => other !== name).map(async other => await readClusterFile(other)));
  return files.filter(file => file !== undefined);
}

/** The cluster has nothing any more that another one could look for. */
export async function removeClusterFile(name: string): Promise<void> {
  await rm(`${stateDirOf(name)}/cluster.json`, { force: true });
}

export async function writeClusterFile(file: ClusterFile): Promise<void> {
  const target = `${file.layout.stateDir}/cluster.json`;
  await writeFile(`${target}.next`, `${JSON.stringify(file, null, 2)}\n`);
  await rename(`${target}.next`, target);
}

/** While the mark is there the supervisor does not start the process. */
export async function markDown(layout: DevLayout, process: string): Promise<void> {
  await writeFile(`${layout.runDir}/down/${process}`, '');
}

export async function unmarkDown(layout: DevLayout, process: string): Promise<void> {
  await rm(`${layout.runDir}/down/${process}`, { force: true });
}

export async function listDown(layout: DevLayout): Promise<ReadonlySet<string>> {
  return new Set(await readdir(`${layout.runDir}/down`).catch(() => []));
}

/** `KEY=VALUE` lines of `env/PROCESS` in the run directory: the environment that the process gets at its next start, e.g. FAILPOINTS. */
export async function readEnvironment(layout: DevLayout, process: string): Promise<Readonly<Record<string, string>>> {
  const text = await readFile(`${layout.runDir}/env/${process}`, 'utf8').catch(() => '');
  const lines = text.split('\n').filter(line => line.includes('='));
  return Object.fromEntries(lines.map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

/** Directories, keys and configuration files of a new cluster. */
export async function createFiles(layout: DevLayout, nowMs: number): Promise<void> {
  const { stateDir } = layout;
  // Container roots are reached by their own ids: the directories above must let them through.
  await mkdir(stateDir, { recursive: true, mode: MODE_PASSABLE_DIR });
  await createRunDirs(layout);
  for (const folder of ['logs', 'pki', 'nats', 'registry/data', ...layout.nodes.map(node => `${node.name}/config`)]) {
    await mkdir(`${stateDir}/${folder}`, { recursive: true, mode: MODE_PRIVATE_DIR });
  }
  for (const node of layout.nodes) {
    await chmod(`${stateDir}/${node.name}`, MODE_PASSABLE_DIR);
    await mkdir(`${stateDir}/${node.name}/state`, { mode: MODE_PASSABLE_DIR });
  }
  await createKeys(layout, nowMs);
  await writeFile(`${stateDir}/nats/nats.conf`, natsConfig(layout));
  await writeFile(`${stateDir}/registry/config.yml`, registryConfig(layout));
}

/** The run directory, which a reboot empties, with that of each node. */
export async function createRunDirs({ runDir, nodes }: DevLayout): Promise<void> {
  await makeRunDir(runDir);
  for (const folder of ['down', 'env', ...nodes.map(node => node.name)]) {
    await mkdir(`${runDir}/${folder}`, { recursive: true, mode: MODE_PASSABLE_DIR });
  }
}

/** Whether the node has its certificate. */
export function hasJoined({ stateDir }: Pick<DevLayout, 'stateDir'>, { name }: Pick<DevNode, 'name'>): boolean {
  return existsSync(`${stateDir}/${name}/config/certificate.pem`);
}

/** Whether etcd of a cluster of this name has written anything. */
export function hasClusterData(name: string): boolean {
  return existsSync(`${stateDirOf(name)}/etcd/member`);
}

/** Runs `work` while no other cluster of this machine chooses its addresses or gives back the machine's settings. */
export async function withReservation<T>(parts: { readonly clock: Clock; readonly signal: AbortSignal }, work: () => Promise<T>): Promise<T> {
  return await withLock(LOCK_FILE, parts, work);
}

/** Why a directory that clusters share stays: another cluster is in it, another removed it, or it is a mount point. Source: rmdir(2) */
const STAYS: ReadonlySet<string | undefined> = new Set(['ENOTEMPTY', 'ENOENT', 'EBUSY']);

/** Everything of the cluster on disk. */
export async function removeFiles(name: string): Promise<void> {
  await rm(stateDirOf(name), { recursive: true, force: true });
  await unmountRunDir(runDirOf(name));
  await rm(runDirOf(name), { recursive: true, force: true });
  for (const root of [STATE_ROOT, RUN_ROOT]) {
    await rmdir(root).catch((error: unknown) => {
      if (!STAYS.has((error as NodeJS.ErrnoException).code)) throw error;
    });
  }
}

/** What a node got when it joined. */
export async function writeNodeIdentity(layout: DevLayout, node: DevNode, identity: KeyPair & { readonly caPem: string }): Promise<void> {
  await writeKeyPair(`${layout.stateDir}/${node.name}/config`, identity.caPem, identity);
}
