import { readFileSync } from 'node:fs';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { EtcdStore } from '../../controller/store/etcd-store.ts';
import { ROOT } from '../../controller/store/keys.ts';
import type { StoreBatch } from '../../controller/store/ports.ts';
import { ClusterMirror } from '../../controller/store/snapshot.ts';
import type { DevLayout } from '../../cli/dev/layout.ts';
import { eventually } from './dev-cluster.ts';

export interface HistoryEntry {
  /** Monotonic milliseconds of when it was seen. */
  readonly atMs: number;
  readonly batch: StoreBatch;
}

/** Every change that etcd saw from the beginning on, in order, for a checker to go through afterwards. */
export class ClusterHistory {
  readonly entries: HistoryEntry[] = [];
  readonly store: EtcdStore;
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;

  /** @param store  another etcd than the cluster's own; closed by `close` */
  constructor(layout: DevLayout, store = storeOf(layout)) {
    this.store = store;
    this.#following = this.#follow();
  }

  /** Waits until all that etcd holds now was seen. */
  async catchUp(): Promise<number> {
    const { etcdRevision } = await eventually('an answer of etcd', 40_000, async () => await this.store.list(`${ROOT}leader`));
    await eventually('the history to catch up', 60_000, () => (this.entries.at(-1)?.batch.etcdRevision ?? 0) >= etcdRevision);
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
  }

  async #follow(): Promise<void> {
    try {
      for await (const batch of this.store.watch(ROOT, 0, this.#stop.signal)) {
        this.entries.push({ atMs: performance.now(), batch });
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        throw error;
      }
    }
  }
}

function storeOf(layout: DevLayout): EtcdStore {
  const pki = `${layout.stateDir}/pki/etcd-client`;
  const [caPem, certificatePem, keyPem] = ['ca.pem', 'certificate.pem', 'key.pem'].map(file => readFileSync(`${pki}/${file}`));
  if (caPem === undefined || certificatePem === undefined || keyPem === undefined) {
    throw new Error(`no client certificate in ${pki}`);
  }
  return new EtcdStore({ hosts: [`https://127.0.0.1:${String(layout.etcdPort)}`], tls: { caPem, certificatePem, keyPem } });
}
