/** cluster.json of a local cluster: its layout, what its supervisor runs, what it changed on the machine. */
import type { Table } from '../format/table.ts';
import type { DevLayout } from './layout.ts';

export type DevProcessKind = 'etcd' | 'nats' | 'registry' | 'controller' | 'deadman' | 'agent';

export interface DevProcess {
  readonly name: string;
  readonly kind: DevProcessKind;
  /** Only for agents and deadmen. */
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
  /** Files of contexts that name it, as far as it was told when it was made: whoever removes it need not be who made it. */
  readonly contextFiles?: readonly string[];
  /** Where the example answers; absent where there is none. */
  readonly url?: string;
}

/** Links that go with the cluster: those that no other one has noted. */
export function linksToRemove(file: Pick<ClusterFile, 'links'>, others: readonly Pick<ClusterFile, 'links'>[]): readonly string[] {
  return file.links.filter(link => !others.some(other => other.links.includes(link)));
}

export function statusTable({ layout, processes }: ClusterFile): Table {
  const addresses = new Map(layout.nodes.map(({ name, address }) => [name, address]));
  return {
    head: ['PROCESS', 'KIND', 'STATE', 'PID', 'NODE', 'ADDRESS'],
    rows: processes.map(({ name, kind, node = '', pid }) => [name, kind, pid === undefined ? 'down' : 'up', String(pid ?? ''), node, addresses.get(node) ?? '']),
  };
}

/** What stands below the table. */
export function statusLines(file: ClusterFile): string {
  return `\n${file.url === undefined ? '' : `example: ${file.url}\n`}registry: ${registryOf(file)}\n`;
}

function registryOf({ layout }: ClusterFile): string {
  return `${layout.hostAddress}:${String(layout.registryPort)}`;
}

/** The shape of `dev status -o json` (cli.md). */
export function statusItem(file: ClusterFile): object {
  return {
    name: file.layout.name,
    url: file.url ?? null,
    registry: registryOf(file),
    processes: file.processes.map(process => ({ name: process.name, kind: process.kind, node: process.node ?? null, pid: process.pid ?? null })),
  };
}
