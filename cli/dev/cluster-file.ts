/** cluster.json of a local cluster: its layout, what its supervisor runs, what it changed on the machine. */
import type { DevLayout } from './layout.ts';

export type DevProcessKind = 'etcd' | 'nats' | 'registry' | 'controller' | 'agent';

export interface DevProcess {
  readonly name: string;
  readonly kind: DevProcessKind;
  /** Only for agents. */
  readonly node?: string;
  /** Absent while it is down. */
  readonly pid?: number;
}

/** Written before the cluster is made, from then on by its supervisor alone. */
export interface ClusterFile {
  readonly layout: DevLayout;
  readonly supervisorPid?: number;
  readonly processes: readonly DevProcess[];
  /** Settings of the machine before, to be put back: sysctl name -> value. */
  readonly previousSettings: Readonly<Record<string, string>>;
  /** Command names linked into /usr/local/bin. */
  readonly links: readonly string[];
  /** Where the example answers; absent where there is none. */
  readonly url?: string;
}

/** The shape of `dev status -o json` (cli.md). */
export function statusItem(file: ClusterFile): object {
  return {
    name: file.layout.name,
    url: file.url ?? null,
    registry: `${file.layout.hostAddress}:${String(file.layout.registryPort)}`,
    processes: file.processes.map(process => ({ name: process.name, kind: process.kind, node: process.node ?? null, pid: process.pid ?? null })),
  };
}
