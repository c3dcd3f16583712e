import { backoffMs } from '#kit/backoff.ts';
import type { Backoff } from '#kit/backoff.ts';
import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { isRetryable } from '#model/errors.ts';
import type { MirrorInput } from '../decision-record.ts';
import { MIRRORED_KINDS, prefixOf, ROOT } from './keys.ts';
import { CompactedError } from './ports.ts';
import type { Store } from './ports.ts';
import { ClusterMirror, joinChanges } from './snapshot.ts';
import type { ClusterChange, InvalidRecord } from './snapshot.ts';

export interface WatchLoopOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly relistMs: number;
  /** 0 <= random < 1, for the jitter of retries. */
  readonly random: () => number;
  /** Told of all that the picture is made from, before it is. */
  readonly onInput?: (input: MirrorInput) => void;
}

const RETRY: Backoff = { firstMs: 100, maxMs: 2_000 };

/** The store holds an older state than it did: it was restored. Everything is read anew. */
class StoreWentBackError extends Error {
  override readonly name = 'StoreWentBackError';
}

/**
 * This replica's picture of the cluster: list, watch, and list again each `relistMs`.
 *
 * 1. `current` is safe to read until the next `await`. 2. `waitFor` resolves when `current` is at least that new. 3. Listeners are
 * called with what changed, after `current` has it; `changes` yields those of mirrored kinds, several joined in one. Neither blocks the mirror.
 * 4. `run` goes on over outages, compaction and a restored store; what the watch lost, the next list repairs.
 */
export class ClusterWatch implements Loop {
  readonly #options: WatchLoopOptions;
  readonly #mirror = new ClusterMirror();
  readonly #listeners = new Set<(change: ClusterChange) => void>();
  readonly #firstList = Promise.withResolvers<undefined>();
  #lastListMs: number | undefined;

  constructor(options: WatchLoopOptions) {
    this.#options = options;
  }

  get current(): ClusterSnapshot {
    return this.#mirror.current;
  }

  get invalid(): ReadonlyMap<string, InvalidRecord> {
    return this.#mirror.invalid;
  }

  /** Monotonic time of the newest list, which is a linearizable read; undefined before the first. */
  get lastListMonotonicMs(): number | undefined {
    return this.#lastListMs;
  }

  /** Resolves when the first list is in. */
  async ready(signal: AbortSignal): Promise<void> {
    await raceAbort(this.#firstList.promise, signal);
  }

  onChange(listener: (change: ClusterChange) => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  async waitFor(etcdRevision: number, signal: AbortSignal): Promise<void> {
    if (this.current.etcdRevision >= etcdRevision) {
      return;
    }
    const reached = Promise.withResolvers<undefined>();
    const stop = this.onChange(change => {
      if (change.etcdRevision >= etcdRevision) {
        reached.resolve(undefined);
      }
    });
    try {
      await raceAbort(reached.promise, signal);
    } finally {
      stop();
    }
  }

  async *changes(signal: AbortSignal): AsyncIterable<ClusterChange> {
    let next = Promise.withResolvers<undefined>();
    let told: ClusterChange | undefined;
    const stop = this.onChange(change => {
      if (told !== undefined || MIRRORED_KINDS.some(kind => change.kinds.has(kind))) {
        told = told === undefined ? change : joinChanges(told, change);
        next.resolve(undefined);
      }
    });
    try {
      for (;;) {
        await raceAbort(next.promise, signal);
        next = Promise.withResolvers<undefined>();
        const change = told;
        told = undefined;
        if (change !== undefined) {
          yield change;
        }
      }
    } finally {
      stop();
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted();
      try {
        await this.#list(signal);
        attempt = 1;
        await this.#follow(signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof CompactedError || error instanceof StoreWentBackError || isRetryable(error))) {
          throw error;
        }
        this.#options.logger.warn({ err: error }, 'reading etcd anew');
      }
      await this.#options.clock.sleep(backoffMs(RETRY, attempt, this.#options.random()), signal);
    }
  }

  /** Watches from the newest list on and lists beside it, until either fails. */
  async #follow(signal: AbortSignal): Promise<void> {
    const inner = new AbortController();
    const both = AbortSignal.any([signal, inner.signal]);
    const watched = this.#watch(both);
    const listed = this.#listAgain(both);
    try {
      await Promise.race([watched, listed]);
    } finally {
      inner.abort(new Error('the watch begins anew'));
      await Promise.allSettled([watched, listed]);
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    for await (const batch of this.#options.store.watch(ROOT, this.current.etcdRevision, signal)) {
      this.#options.onInput?.({ kind: 'batch', batch });
      this.#tell(this.#mirror.apply(batch));
    }
  }

  async #listAgain(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.clock.sleep(this.#options.relistMs, signal);
      try {
        await this.#list(signal);
      } catch (error) {
        // An outage: the watch reconnects by itself, and the next list is due soon.
        if (!isRetryable(error)) {
          throw error;
        }
      }
    }
  }

  /** @throws StoreWentBackError after the mirror was made equal to an older store: its watch must begin anew */
  async #list(signal: AbortSignal): Promise<void> {
    const startedAtMs = this.#options.clock.monotonicMs();
    this.#options.onInput?.({ kind: 'begin-list' });
    this.#mirror.beginList();
    const list = await this.#options.store.list(MIRRORED_KINDS.map(prefixOf), signal);
    const isFirst = this.#lastListMs === undefined;
    this.#options.onInput?.({ kind: 'list', list });
    const change = this.#mirror.reset(list);
    this.#lastListMs = startedAtMs;
    this.#firstList.resolve(undefined);
    this.#tell(change);
    if (change.differences > 0 && !isFirst) {
      this.#options.logger.info({ differences: change.differences }, 'a list brought what the watch had not');
    }
    if (change.hasGoneBack) {
      throw new StoreWentBackError(`the store went back to revision ${String(list.etcdRevision)}`);
    }
  }

  #tell(change: ClusterChange): void {
    for (const listener of [...this.#listeners]) {
      listener(change);
    }
  }
}

async function raceAbort(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => { aborted.reject(signal.reason as Error); };
  signal.addEventListener('abort', onAbort);
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
