import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { EtcdStore } from '../../controller/store/etcd-store.ts';
import { prefixOf } from '../../controller/store/keys.ts';
import type { RecordKind } from '../../controller/store/keys.ts';
import { cgroupMounts } from '../../cli/dev/cgroup-fs.ts';
import { eventually } from './dev-cluster.ts';
import type { DevCluster } from './dev-cluster.ts';

/** What people and the leader wish: what a refused input must not touch. */
const DESIRED: readonly RecordKind[] = ['app', 'revision', 'service', 'blob', 'secret', 'settings', 'request', 'token', 'task'];

/** Everything that a refused input could have changed, one line each, sorted. */
export type Picture = readonly string[];

/** Looks at a local cluster past its API: etcd with the cluster's own client certificate, the nodes' directories and kernel objects. */
export class ClusterEye implements Disposable {
  readonly #cluster: DevCluster;
  readonly #store: EtcdStore;

  constructor(cluster: DevCluster) {
    this.#cluster = cluster;
    const pem = (name: string): Buffer => readFileSync(`${cluster.layout.stateDir}/pki/etcd-client/${name}.pem`);
    this.#store = new EtcdStore({
      hosts: [`https://127.0.0.1:${String(cluster.layout.etcdPort)}`],
      tls: { caPem: pem('ca'), certificatePem: pem('certificate'), keyPem: pem('key') },
    });
  }

  /** Keys of these kinds with their etcd revisions. */
  async keys(kinds: readonly RecordKind[] = DESIRED): Promise<readonly string[]> {
    const { entries } = await this.#store.list(kinds.map(prefixOf));
    return entries.map(entry => `etcd ${entry.key} ${String(entry.modRevision)}`);
  }

  async picture(): Promise<Picture> {
    const { layout } = this.#cluster;
    const agents = layout.nodes.map(node => ({ node, pid: this.#cluster.process(node.name).pid ?? 0 }));
    const groups = await cgroupMounts();
    const lines = [
      ...await this.keys(),
      ...layout.nodes.flatMap(node => tree(`${layout.stateDir}/${node.name}/state`)).map(file => `file ${file}`),
      ...agents.flatMap(({ node, pid }) => mountTargets(pid).filter(target => target.startsWith(layout.stateDir) || target.startsWith(layout.runDir)).map(target => `mount ${node.name} ${target}`)),
      ...agents.flatMap(({ node, pid }) => links(pid).map(link => `link ${node.name} ${link}`)),
      ...readdirSync('/run/netns').filter(name => name.startsWith(`gantry-${layout.name}-`)).map(name => `netns ${name}`),
      ...groups.flatMap(mount => layout.nodes.flatMap(node => tree(`${mount}/gantry-${node.scope}`, true))).map(group => `cgroup ${group}`),
    ];
    return lines.toSorted();
  }

  /** The picture once no task is left and two looks show the same. */
  async settled(): Promise<Picture> {
    let last = '';
    return await eventually('a cluster at rest', 60_000, async () => {
      const now = await this.picture();
      const before = last;
      last = now.join('\n');
      return last === before && !now.some(line => /^etcd \S+\/(?:tasks|services)\//.test(line)) ? now : undefined;
    });
  }

  [Symbol.dispose](): void {
    this.#store.close();
  }
}

function tree(folder: string, onlyFolders = false): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => !onlyFolders || entry.isDirectory()).map(entry => path.join(entry.parentPath, entry.name));
  } catch {
    // Not there, or gone while we looked: the picture shows it as absent.
    return [];
  }
}

function mountTargets(pid: number): readonly string[] {
  return readFileSync(`/proc/${String(pid)}/mountinfo`, 'utf8').split('\n').map(line => line.split(' ')[4] ?? '');
}

function links(pid: number): readonly string[] {
  return readFileSync(`/proc/${String(pid)}/net/dev`, 'utf8').split('\n').slice(2).flatMap(line => line.trim().split(':')[0] ?? []).filter(name => name !== '');
}

/** Resident memory of a process in MiB: now, or the most it ever was. */
export function residentMib(pid: number, what: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  const text = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  return Number(new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024;
}
