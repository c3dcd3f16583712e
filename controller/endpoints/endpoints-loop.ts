import type { EndpointSet } from '#model/endpoints.ts';
import type { Clock } from '#kit/clock.ts';
import type { ClusterState } from '../api/ports.ts';
import type { SessionTable } from '../api/session-table.ts';
import { endpointSet, nextEndpointSet, sameEndpoints } from './endpoint-set.ts';

/**
 * Sends every change of the endpoints to each session of this replica, and knows which sessions have it in force.
 *
 * A set is sent only when its content differs from the one before; `#newest` tells how far the mirror was looked at, so a
 * revision that changed no endpoint counts as acknowledged with the set before it.
 */
export class EndpointsLoop {
  readonly #state: ClusterState;
  readonly #sessions: SessionTable;
  readonly #clock: Clock;
  #current: EndpointSet = { generation: 0, services: [], nodes: [] };
  #newest: EndpointSet = this.#current;

  constructor(parts: { readonly state: ClusterState; readonly sessions: SessionTable; readonly clock: Clock }) {
    this.#state = parts.state;
    this.#sessions = parts.sessions;
    this.#clock = parts.clock;
  }

  /** The set in force, for a session that begins. */
  get current(): EndpointSet {
    return this.#current;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#take(endpointSet(this.#state.current));
    for await (const change of this.#state.changes(signal)) {
      this.#take(nextEndpointSet(this.#newest, this.#state.current, change));
    }
  }

  /** True as soon as every session held here has the endpoints of at least `generation` in force; false after `timeoutMs`. */
  async awaitAcknowledged(generation: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.#isAcknowledged(generation)) {
      return true;
    }
    const reached = Promise.withResolvers<true>();
    const over = new AbortController();
    using _listener = this.#sessions.onChange(() => {
      if (this.#isAcknowledged(generation)) {
        reached.resolve(true);
      }
    });
    const timeout = this.#clock.sleep(timeoutMs, AbortSignal.any([signal, over.signal])).then(() => false);
    try {
      return await Promise.race([reached.promise, timeout]);
    } finally {
      over.abort(new Error('answered'));
    }
  }

  #take(next: EndpointSet): void {
    this.#newest = next;
    if (this.#current.generation === 0 || !sameEndpoints(this.#current, next)) {
      this.#current = next;
      for (const session of this.#sessions.all()) {
        session.send({ kind: 'endpoints', endpoints: next });
      }
    }
    this.#sessions.changed();
  }

  #isAcknowledged(generation: number): boolean {
    return this.#newest.generation >= generation
      && this.#sessions.all().every(session => session.endpointsGeneration >= this.#current.generation);
  }
}
