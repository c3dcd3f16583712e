import type { NodeId } from '#model/ids.ts';
import type { ControllerMessage } from '#model/session.ts';

/** One agent session that this replica holds, with what was heard of it. */
export interface LiveSession {
  readonly node: NodeId;
  readonly sessionId: string;
  /** etcd revision of its session record: status writes compare it. */
  readonly recordRevision: number;
  /** Newest endpoint generation that the agent has in force. */
  endpointsGeneration: number;
  /** When its last message came, on this process's monotonic clock. */
  lastHeardMonotonicMs: number;
  send(message: ControllerMessage): void;
  close(reason: string): void;
}

/**
 * The sessions of this replica, one a node.
 *
 * 1. A new session of a node closes the one before. 2. `remove` of a session that was followed by another changes nothing.
 */
export class SessionTable {
  readonly #sessions = new Map<NodeId, LiveSession>();
  readonly #listeners = new Set<() => void>();

  add(session: LiveSession): void {
    this.#sessions.get(session.node)?.close('a newer session of this node was opened');
    this.#sessions.set(session.node, session);
    this.changed();
  }

  remove(session: LiveSession): void {
    if (this.#sessions.get(session.node) === session) {
      this.#sessions.delete(session.node);
      this.changed();
    }
  }

  get(node: NodeId): LiveSession | undefined {
    return this.#sessions.get(node);
  }

  all(): readonly LiveSession[] {
    return [...this.#sessions.values()];
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
}
