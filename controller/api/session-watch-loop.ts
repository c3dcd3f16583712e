import type { Loop } from '#kit/supervise-loop.ts';
import type { ClusterState } from './ports.ts';
import type { SessionTable } from './session-table.ts';

/** Tells each session of this replica of the changes that may concern it; what a change costs does not grow with the number of sessions that it does not concern. */
export class SessionWatchLoop implements Loop {
  readonly #state: ClusterState;
  readonly #sessions: SessionTable;

  constructor(parts: { readonly state: ClusterState; readonly sessions: SessionTable }) {
    this.#state = parts.state;
    this.#sessions = parts.sessions;
  }

  async run(signal: AbortSignal): Promise<void> {
    for await (const change of this.#state.changes(signal)) {
      // A task that cannot be read, or can again, names no node; of a leader all hear.
      const concernsAll = change.kinds.has('leader') || change.kinds.has('task');
      const concerned = concernsAll ? this.#sessions.all() : [...change.nodes].flatMap(node => this.#sessions.get(node) ?? []);
      for (const session of concerned) {
        session.changed(change);
      }
    }
  }
}
