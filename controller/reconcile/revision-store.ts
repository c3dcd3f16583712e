import type { Revision } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { appId } from '#model/ids.ts';
import type { AppId, ServiceId } from '#model/ids.ts';
import { buildKey } from '../store/keys.ts';
import type { Store } from '../store/ports.ts';
import { decodeRevision } from '../store/records.ts';

/** Revisions held at most; each may be half a megabyte. */
const MAX_HELD = 64;

/** The Revisions that a rollback may go back to, read from etcd when they may be needed. Revisions are immutable, so what was read stays true. */
export class RevisionCache {
  readonly #store: Store;
  readonly #held = new Map<string, Revision>();

  constructor(store: Store) {
    this.#store = store;
  }

  get(app: AppId, number: number): Revision | undefined {
    return this.#held.get(buildKey({ kind: 'revision', app, number }));
  }

  /** Reads the Revision that the service was settled on, while it is on its way to another. */
  async load(snapshot: ClusterSnapshot, id: ServiceId, signal: AbortSignal): Promise<void> {
    const service = snapshot.services.get(id)?.value;
    const settled = snapshot.serviceStatuses.get(id)?.value.settledRevision ?? 0;
    if (service === undefined || settled === 0 || settled === service.revision) {
      return;
    }
    const key = buildKey({ kind: 'revision', app: appId(service.namespace, service.app), number: settled });
    if (this.#held.has(key)) {
      return;
    }
    const entry = await this.#store.get(key, signal);
    if (entry === undefined) {
      return;
    }
    const oldest = this.#held.keys().next();
    if (this.#held.size >= MAX_HELD && oldest.done !== true) {
      this.#held.delete(oldest.value);
    }
    this.#held.set(key, decodeRevision(entry.value));
  }
}
