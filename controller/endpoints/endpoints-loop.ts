import { endpointChange } from '#model/endpoint-change.ts';
import type { EndpointSet } from '#model/endpoints.ts';
import type { ControllerMessage } from '#model/session.ts';
import type { Clock } from '#kit/clock.ts';
import type { ClusterState } from '../api/ports.ts';
import type { LiveSession, SessionTable } from '../api/session-table.ts';
import { endpointSet, nextEndpointSet } from './endpoint-set.ts';

/** Rest after a look at what changed, in times of what it took: while much changes, several changes share a look and a message. */
const REST_FACTOR = 4;
const LONGEST_REST_MS = 1_000;
/** What takes less is followed at once by the next. */
const CHEAP_MS = 2;

/**
 * Sends every change of the endpoints to each session of this replica, and knows which sessions have it in force.
 *
 * A session gets the set whole at its beginning, and when it says that a change did not follow what it has; then what changed, the same message
 * for all of them. Nothing is sent when the content is that of before; `#newest` tells how far the mirror was looked at, so a
 * revision that changed no endpoint, be it an event's, counts as acknowledged with the set before it.
 */
export class EndpointsLoop {
  readonly #state: ClusterState;
  readonly #sessions: SessionTable;
  readonly #clock: Clock;
  #current: EndpointSet = { generation: 0, services: [], nodes: [] };
  #newest: EndpointSet = this.#current;
  /** One object for all sessions that get it: its bytes are made once. */
  #whole: ControllerMessage = { kind: 'endpoints', endpoints: this.#current };

  constructor(parts: { readonly state: ClusterState; readonly sessions: SessionTable; readonly clock: Clock }) {
    this.#state = parts.state;
    this.#sessions = parts.sessions;
    this.#clock = parts.clock;
  }

  /** The set in force. */
  get current(): EndpointSet {
    return this.#current;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#take(endpointSet(this.#state.current));
    for await (const change of this.#state.changes(signal, { withOthers: true, turnsLater: 2 })) {
      const startedAtMs = this.#clock.monotonicMs();
      this.#take(nextEndpointSet(this.#newest, this.#state.current, change));
      const restMs = restAfterMs(this.#clock.monotonicMs() - startedAtMs);
      if (restMs > 0) await this.#clock.sleep(restMs, signal);
    }
  }

  /** The whole set in force, to a session that begins or has a gap. */
  sendSet(session: LiveSession): void {
    session.sentEndpoints = this.#current.generation;
    session.send(this.#whole);
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
    const before = this.#current;
    const change = endpointChange(before, next);
    // What is the same stays the same object: the next look has nothing to compare then.
    this.#newest = change === undefined ? { ...before, generation: next.generation } : next;
    if (before.generation === 0 || change !== undefined) {
      this.#current = next;
      this.#whole = { kind: 'endpoints', endpoints: next };
      this.#sessions.expectEndpoints(next.generation);
      this.#send(before.generation, change === undefined ? this.#whole : { kind: 'endpoint-change', change });
    }
    this.#sessions.changed();
  }

  #send(from: number, message: ControllerMessage): void {
    for (const session of this.#sessions.all()) {
      if (session.takesEndpointChanges && session.sentEndpoints === from) {
        session.sentEndpoints = this.#current.generation;
        session.send(message);
      } else {
        this.sendSet(session);
      }
    }
  }

  #isAcknowledged(generation: number): boolean {
    return this.#newest.generation >= generation && !this.#sessions.isBehind;
  }
}

/** So long nothing more is looked at, after a look that took `tookMs`. */
export function restAfterMs(tookMs: number): number {
  return tookMs < CHEAP_MS ? 0 : Math.min(LONGEST_REST_MS, tookMs * REST_FACTOR);
}
