import { readFileSync } from 'node:fs';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { EtcdStore } from '../../controller/store/etcd-store.ts';
import { ROOT } from '../../controller/store/keys.ts';
import { CompactedError, revisionOf } from '../../controller/store/ports.ts';
import type { Store, StoreBatch, StoreChange, StoredValue } from '../../controller/store/ports.ts';
import { ClusterMirror } from '../../controller/store/snapshot.ts';
import type { DevLayout } from '../../cli/dev/layout.ts';
import { eventually } from './dev-cluster.ts';

export interface HistoryEntry {
  /** Monotonic milliseconds of when it was seen. */
  readonly atMs: number;
  readonly batch: StoreBatch;
}

/**
 * Every change that etcd saw from the beginning on, in order, for a checker to go through afterwards. A compaction that comes
 * before a change was read ends the history with an error, except where a test allows it.
 */
export class ClusterHistory {
  readonly entries: HistoryEntry[] = [];
  readonly store: Store;
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;
  #failure: unknown;
  /** True while a compaction may take changes away: then one entry holds the difference to a new list, as a mirror's does. */
  mayBeCompacted = false;

  /** @param store  closed by `close` */
  constructor(store: Store) {
    this.store = store;
    this.#following = this.#follow().catch((error: unknown) => { this.#failure = error; });
  }

  static of(layout: DevLayout): ClusterHistory {
    return new ClusterHistory(storeOf(layout));
  }

  /** Waits until all that etcd holds now was seen. */
  async catchUp(): Promise<number> {
    const { etcdRevision } = await eventually('an answer of etcd', 40_000, async () => await this.store.list(`${ROOT}leader`));
    await eventually('the history to catch up', 60_000, () => this.#failure !== undefined || (this.entries.at(-1)?.batch.etcdRevision ?? 0) >= etcdRevision);
    this.#requireWhole();
    return etcdRevision;
  }

  /** What the last entry left. */
  now(): ClusterSnapshot {
    const mirror = new ClusterMirror();
    for (const { batch } of this.entries) {
      mirror.apply(batch);
    }
    return mirror.current;
  }

  /** Keys of the records that nobody can read now, as the last entry left them. */
  unreadable(): readonly string[] {
    const mirror = new ClusterMirror();
    for (const { batch } of this.entries) {
      mirror.apply(batch);
    }
    return [...mirror.invalid.keys()].sort();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the history is complete'));
    await this.#following;
    this.store.close();
    this.#requireWhole();
  }

  /** @throws what ended the history before its time */
  #requireWhole(): void {
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  async #follow(): Promise<void> {
    let afterRevision = 0;
    for (;;) {
      try {
        for await (const batch of this.store.watch(ROOT, afterRevision, this.#stop.signal)) this.#add(batch);
        return;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (!this.mayBeCompacted || !(error instanceof CompactedError)) throw error;
        afterRevision = await this.#listAgain();
      }
    }
  }

  async #listAgain(): Promise<number> {
    const list = await eventually('an answer of etcd', 40_000, async () => await this.store.list(ROOT));
    this.#add(differenceTo(list, this.entries));
    return list.etcdRevision;
  }

  #add(batch: StoreBatch): void {
    this.entries.push({ atMs: performance.now(), batch });
  }
}

/** What leads from the end of the history to the list, as one batch in the order of revisions. */
function differenceTo(list: { readonly etcdRevision: number; readonly entries: readonly StoredValue[] }, history: readonly HistoryEntry[]): StoreBatch {
  const known = new Map<string, number>();
  for (const change of history.flatMap(({ batch }) => batch.changes)) {
    if (change.kind === 'put') known.set(change.entry.key, change.entry.modRevision);
    else known.delete(change.key);
  }
  const listed = new Set(list.entries.map(entry => entry.key));
  const changes: readonly StoreChange[] = [
    ...list.entries.filter(entry => known.get(entry.key) !== entry.modRevision).map(entry => ({ kind: 'put', entry }) as const),
    ...[...known.keys()].filter(key => !listed.has(key)).map(key => ({ kind: 'delete', key, modRevision: list.etcdRevision }) as const),
  ];
  return { etcdRevision: list.etcdRevision, changes: changes.toSorted((a, b) => revisionOf(a) - revisionOf(b)) };
}

function storeOf(layout: DevLayout): EtcdStore {
  const pki = `${layout.stateDir}/pki/etcd-client`;
  const [caPem, certificatePem, keyPem] = ['ca.pem', 'certificate.pem', 'key.pem'].map(file => readFileSync(`${pki}/${file}`));
  if (caPem === undefined || certificatePem === undefined || keyPem === undefined) {
    throw new Error(`no client certificate in ${pki}`);
  }
  return new EtcdStore({ hosts: [`https://127.0.0.1:${String(layout.etcdPort)}`], tls: { caPem, certificatePem, keyPem } });
}
