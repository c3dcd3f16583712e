import type { NodeId } from '#model/ids.ts';
import type { ControllerMessage } from '#model/session.ts';
import type { ClusterChange } from '../store/snapshot.ts';

/** One agent session that this replica holds, with what was heard of it. */
export interface LiveSession {
  readonly node: NodeId;
  readonly sessionId: string;
  /** etcd revision of its session record: status writes compare it. */
  readonly recordRevision: number;
  /** The agent takes changes of the endpoints after its first set. */
  readonly takesEndpointChanges: boolean;
  readonly takesKeptTasks: boolean;
  /** Generation of the endpoints that were sent to it last; 0: none. */
  sentEndpoints: number;
  /** Newest endpoint generation that the agent has in force. */
  endpointsGeneration: number;
  /** When its last message came, on this process's monotonic clock. */
  lastHeardMonotonicMs: number;
  send(message: ControllerMessage): void;
  /** The cluster changed in something that may concern it. */
  changed(change: ClusterChange): void;
  close(reason: string): void;
}

/**
 * The sessions of this replica, one a node.
 *
 * 1. A new session of a node closes the one before. 2. `remove` of a session that was followed by another changes nothing.
 * 3. `isBehind` is true while the agent of any has not the expected endpoints in force; what it costs does not grow with their number.
 */
export class SessionTable {
  readonly #sessions = new Map<NodeId, LiveSession>();
  readonly #listeners = new Set<() => void>();
  readonly #behind = new Set<LiveSession>();
  #expected = 0;

  get isBehind(): boolean {
    return this.#behind.size > 0;
  }

  add(session: LiveSession): void {
    const before = this.#sessions.get(session.node);
    before?.close('a newer session of this node was opened');
    this.#sessions.set(session.node, session);
    this.#judge(session);
    if (before !== undefined) this.#behind.delete(before);
    this.changed();
  }

  remove(session: LiveSession): void {
    if (this.#sessions.get(session.node) === session) {
      this.#sessions.delete(session.node);
      this.#behind.delete(session);
      this.changed();
    }
  }

  get(node: NodeId): LiveSession | undefined {
    return this.#sessions.get(node);
  }

  all(): readonly LiveSession[] {
    return [...this.#sessions.values()];
  }

  /** From now on each is to have endpoints of at least `generation` in force. */
  expectEndpoints(generation: number): void {
    this.#expected = generation;
    this.#behind.clear();
    this.#sessions.forEach(session => { this.#judge(session); });
  }

  /** The agent has endpoints of `generation` in force. */
  acknowledgeEndpoints(session: LiveSession, generation: number): void {
    if (generation > session.endpointsGeneration) {
      session.endpointsGeneration = generation;
      this.#judge(session);
      this.changed();
    }
  }

  /** Tells the listeners that a session came, went, or acknowledged something. */
  changed(): void {
    for (const listener of this.#listeners) {
      listener();
    }
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => { this.#listeners.delete(listener); } };
  }

  #judge(session: LiveSession): void {
    if (session.endpointsGeneration >= this.#expected) {
      this.#behind.delete(session);
    } else if (this.#sessions.get(session.node) === session) {
      this.#behind.add(session);
    }
  }
}
