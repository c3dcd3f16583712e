import { buildKey } from '../../controller/store/keys.ts';
import type { Store } from '../../controller/store/ports.ts';

/** How often another term of leading began after the first. */
export class LeaderHistory implements Disposable {
  readonly #stop = new AbortController();
  #terms = 0;

  constructor(store: Store) {
    void this.#watch(store).catch(() => undefined);
  }

  get changes(): number {
    return this.#terms - 1;
  }

  async #watch(store: Store): Promise<void> {
    const key = buildKey({ kind: 'leader' });
    for await (const { changes } of store.watch(key, 0, this.#stop.signal)) {
      const puts = changes.flatMap(change => (change.kind === 'put' ? [change.entry] : []));
      this.#terms += puts.filter(({ createRevision, modRevision }) => createRevision === modRevision).length;
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort(new Error('the bench is over'));
  }
}
