import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId, ServiceId } from '#model/ids.ts';
import { NodeTable } from './node-table.ts';
import type { TableChange } from './node-table.ts';

/** One table from plan to plan: brought forward by what changed since it was asked for last. It is right as long as `touch` hears of every change. */
export class KeptTable {
  #table: NodeTable | undefined;
  readonly #nodes = new Set<NodeId>();
  readonly #services = new Set<ServiceId>();

  touch({ nodes, services }: TableChange): void {
    for (const node of nodes) this.#nodes.add(node);
    for (const service of services) this.#services.add(service);
  }

  /** Equal to a new one of the snapshot. */
  at(snapshot: ClusterSnapshot): NodeTable {
    if (this.#table === undefined) {
      this.#table = new NodeTable(snapshot);
    } else if (this.#nodes.size + this.#services.size > 0) {
      this.#table.refresh(snapshot, { nodes: this.#nodes, services: this.#services });
    }
    this.#nodes.clear();
    this.#services.clear();
    return this.#table;
  }

  /** The next is a new one: a plan that failed may have left this one as it was in the middle of it. */
  drop(): void {
    this.#table = undefined;
  }
}
