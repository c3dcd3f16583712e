import type { Revision } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { appId } from '#model/ids.ts';
import type { AppId, ServiceId } from '#model/ids.ts';
import { buildKey } from '../store/keys.ts';
import type { Store } from '../store/ports.ts';
import { decodeRevision } from '../store/records.ts';

/** Revisions held at most; each may be half a megabyte. */
const MAX_HELD = 64;

interface HeldRevision {
  readonly value: Revision;
  /** etcd's; no lower than that of the App it was written for. */
  readonly createRevision: number;
}

/**
 * The Revisions that a rollback may go back to, read from etcd when they may be needed. Revisions are immutable, so what was read stays true
 * as long as its App lives: one that is applied again after it was deleted counts from 1 again.
 */
export class RevisionCache {
  readonly #store: Store;
  readonly #held = new Map<string, HeldRevision>();

  constructor(store: Store) {
    this.#store = store;
  }

  get({ apps }: ClusterSnapshot, app: AppId, number: number): Revision | undefined {
    const held = this.#held.get(buildKey({ kind: 'revision', app, number }));
    return held !== undefined && held.createRevision >= (apps.get(app)?.createRevision ?? Number.POSITIVE_INFINITY) ? held.value : undefined;
  }

  /** Reads the Revision that the service was settled on, while it is on its way to another. */
  async load(snapshot: ClusterSnapshot, id: ServiceId, signal: AbortSignal): Promise<void> {
    const service = snapshot.services.get(id)?.value;
    const settled = snapshot.serviceStatuses.get(id)?.value.settledRevision ?? 0;
    if (service === undefined || settled === 0 || settled === service.revision) {
      return;
    }
    const app = appId(service.namespace, service.app);
    if (this.get(snapshot, app, settled) !== undefined) {
      return;
    }
    const key = buildKey({ kind: 'revision', app, number: settled });
    const entry = await this.#store.get(key, signal);
    if (entry === undefined) {
      return;
    }
    this.#held.delete(key);
    const oldest = this.#held.keys().next();
    if (this.#held.size >= MAX_HELD && oldest.done !== true) {
      this.#held.delete(oldest.value);
    }
    this.#held.set(key, { value: decodeRevision(entry.value), createRevision: entry.createRevision });
  }
}
