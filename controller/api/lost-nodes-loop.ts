import type { Clock } from '#kit/clock.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import type { ClusterState } from './ports.ts';

interface Seen {
  /** As its record says: only tells one loss from the next. */
  readonly conditionSinceMs: number;
  readonly atMonotonicMs: number;
}

/** For how long nodes have been lost, as this replica saw it: on its monotonic clock, from zero after its start. Never more than it is. */
export class LostNodesLoop implements Loop {
  readonly #state: ClusterState;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #seen = new Map<NodeId, Seen>();

  constructor(parts: { readonly state: ClusterState; readonly clock: Pick<Clock, 'monotonicMs'> }) {
    this.#state = parts.state;
    this.#clock = parts.clock;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#look(this.#state.current.nodes.keys());
    for await (const change of this.#state.changes(signal)) {
      if (change.kinds.has('node')) this.#look(change.nodes);
    }
  }

  /** Of a node that is lost; one that was not seen so before is from now on. */
  lostForMs(node: Node): number {
    return this.#clock.monotonicMs() - this.#see(node).atMonotonicMs;
  }

  #look(ids: Iterable<NodeId>): void {
    for (const id of ids) {
      const node = this.#state.current.nodes.get(id)?.value;
      if (node?.condition === 'lost') {
        this.#see(node);
      } else {
        this.#seen.delete(id);
      }
    }
  }

  #see({ id, conditionSinceMs }: Node): Seen {
    const known = this.#seen.get(id);
    if (known?.conditionSinceMs === conditionSinceMs) {
      return known;
    }
    const seen = { conditionSinceMs, atMonotonicMs: this.#clock.monotonicMs() };
    this.#seen.set(id, seen);
    return seen;
  }
}
