import { backoffMs } from '#kit/backoff.ts';
import type { Backoff } from '#kit/backoff.ts';
import type { Clock } from '#kit/clock.ts';
import { innerSignal } from '#kit/inner-signal.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { isRetryable } from '#model/errors.ts';
import type { MirrorInput } from '../decision-record.ts';
import { MIRRORED_KINDS, prefixOf, ROOT } from './keys.ts';
import { CompactedError, revisionOf } from './ports.ts';
import type { Store, StoreBatch } from './ports.ts';
import { ClusterMirror, joinChanges } from './snapshot.ts';
import type { ClusterChange, InvalidRecord } from './snapshot.ts';

export interface ChangesOptions {
  /** Also those that touched nothing of the picture. */
  readonly withOthers?: boolean;
  /** So many turns of the event loop the change is left to those who bring it nearer; what comes meanwhile is told with it. */
  readonly turnsLater?: number;
}

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
/** Between lists for missing revisions that brought nothing, at first; twice as long after each: somebody else writes into this etcd. */
const FALSE_GAP_MS = 1_000;

/** The store holds an older state than it did: it was restored. Everything is read anew. */
class StoreWentBackError extends Error {
  override readonly name = 'StoreWentBackError';
}

/**
 * This replica's picture of the cluster: list, watch, and list again each `relistMs`.
 *
 * 1. `current` is safe to read until the next `await`. 2. `waitFor` resolves when `current` is at least that new. 3. Listeners are
 * called with what changed, after `current` has it; `changes` yields those of mirrored kinds (`withOthers`: of all), several joined in one, `turnsLater`. Neither blocks the mirror.
 * 4. `run` goes on over outages, compaction and a restored store; what the watch lost, the next list repairs. 5. That list is made at once when
 * a revision is missing between two that came, and `waitFor` waits for it: who wrote something decides on what it wrote.
 */
export class ClusterWatch implements Loop {
  readonly #options: WatchLoopOptions;
  readonly #mirror = new ClusterMirror();
  readonly #listeners = new Set<(change: ClusterChange) => void>();
  readonly #firstList = Promise.withResolvers<undefined>();
  #lastListMs: number | undefined;
  /** Revision of what came after a missing one; undefined: nothing is missing. */
  #gapBefore: number | undefined;
  #falseGapMs = 0;
  #wakeLister: () => void = () => undefined;

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
    const isThere = (): boolean => this.current.etcdRevision >= etcdRevision && this.#gapBefore === undefined;
    if (isThere()) {
      return;
    }
    const reached = Promise.withResolvers<undefined>();
    const stop = this.onChange(() => {
      if (isThere()) {
        reached.resolve(undefined);
      }
    });
    try {
      await raceAbort(reached.promise, signal);
    } finally {
      stop();
    }
  }

  async *changes(signal: AbortSignal, { withOthers = false, turnsLater = 0 }: ChangesOptions = {}): AsyncIterable<ClusterChange> {
    let next = Promise.withResolvers<undefined>();
    let told: ClusterChange | undefined;
    const stop = this.onChange(change => {
      if (withOthers || told !== undefined || MIRRORED_KINDS.some(kind => change.kinds.has(kind))) {
        told = told === undefined ? change : joinChanges(told, change);
        next.resolve(undefined);
      }
    });
    try {
      for (;;) {
        await raceAbort(next.promise, signal);
        for (let turn = 0; turn < turnsLater; turn += 1) await this.#options.clock.turn();
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
    using inner = innerSignal(signal);
    const watched = this.#watch(inner.signal);
    const listed = this.#listAgain(inner.signal);
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
      this.#lookForGap(batch);
      this.#tell(this.#mirror.apply(batch));
    }
  }

  /** Each revision of this etcd is a write below `ROOT`, unless somebody else writes into it. */
  #lookForGap(batch: StoreBatch): void {
    const { clock, logger } = this.#options;
    const mayBeFalse = clock.monotonicMs() < (this.#lastListMs ?? 0) + this.#falseGapMs;
    if (this.#gapBefore === undefined && !mayBeFalse && !follows(this.current.etcdRevision, batch)) {
      logger.info({ etcdRevision: batch.etcdRevision }, 'a revision before this one did not come');
      this.#gapBefore = batch.etcdRevision;
      this.#wakeLister();
    }
  }

  async #listAgain(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#sleepUntilListed(signal);
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

  /** Until the next list is due: soon while something is missing. */
  async #sleepUntilListed(signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#wakeLister = () => { woken.abort(); };
    try {
      await this.#options.clock.sleep(this.#gapBefore === undefined ? this.#options.relistMs : RETRY.firstMs, AbortSignal.any([signal, woken.signal]));
    } catch (error) {
      if (signal.aborted || !woken.signal.aborted) {
        throw error;
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
    this.#closeGap(list.etcdRevision, change);
    this.#tell(change);
    if (change.differences > 0 && !isFirst) {
      this.#options.logger.info({ differences: change.differences }, 'a list brought what the watch had not');
    }
    if (change.hasGoneBack) {
      throw new StoreWentBackError(`the store went back to revision ${String(list.etcdRevision)}`);
    }
  }

  /** A store that went back never had what was missing. */
  #closeGap(etcdRevision: number, { differences, hasGoneBack }: { readonly differences: number; readonly hasGoneBack: boolean }): void {
    if (this.#gapBefore !== undefined && (hasGoneBack || etcdRevision >= this.#gapBefore)) {
      this.#gapBefore = undefined;
      this.#falseGapMs = differences > 0 ? 0 : Math.min(this.#options.relistMs, Math.max(FALSE_GAP_MS, 2 * this.#falseGapMs));
    }
  }

  #tell(change: ClusterChange): void {
    for (const listener of [...this.#listeners]) {
      listener(change);
    }
  }
}

/** True when no revision is missing between `etcdRevision` and those of the batch, which are in order. */
function follows(etcdRevision: number, { changes }: StoreBatch): boolean {
  let last = etcdRevision;
  for (const change of changes) {
    const revision = revisionOf(change);
    if (revision > last + 1) {
      return false;
    }
    last = Math.max(last, revision);
  }
  return true;
}

async function raceAbort(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const onAbort = (): void => { reject(signal.reason as Error); };
  signal.addEventListener('abort', onAbort);
  try {
    work.then(resolve, reject);
    await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
