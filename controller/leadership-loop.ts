import type { Clock } from '#kit/clock.ts';
import { superviseLoops } from '#kit/supervise-loop.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { Logger } from '#kit/logger.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { isClusterError, isRetryable } from '#model/errors.ts';
import type { ControllerRecord } from '#model/node.ts';
import { confirmLeadership, giveUpLease, tryToLead } from './store/election-store.ts';
import type { Candidacy } from './store/election-store.ts';
import type { Store } from './store/ports.ts';

/** One term of leading. `epoch` fences its writes; `isHeld` says whether this controller may still begin one. */
export interface Leadership {
  readonly epoch: number;
  isHeld(): boolean;
}

export interface LeadershipOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly record: ControllerRecord;
  readonly leaseMs: number;
  /** The mirror: shows a lost key before the next renewal does. */
  readonly cluster: { readonly current: ClusterSnapshot; onChange(listener: () => void): () => void };
  /** What runs while leader, made anew for each term. */
  readonly work: (leadership: Leadership) => Loop;
}

/** Ends a term. Work may throw it when a write was refused for its epoch. */
export class DeposedError extends Error {
  override readonly name = 'DeposedError';
}

/** A term ends by our own clock at this share of the lease without a confirmed renewal: before etcd can give it to another. */
const HOLD_SHARE = 2 / 3;
/** Looks at the key of another leader in one lease. */
const TRIES_PER_LEASE = 6;
/** Renewals in one lease: a leader that stood still for half of it (A8) was confirmed so lately before that its term goes on. */
const RENEWALS_PER_LEASE = 12;

/**
 * Campaigns for ever; runs `work` only while leader, under a signal that ends with the term.
 *
 * 1. A term ends at 2/3 of the lease after the send time of the last renewal that was confirmed, when the key is gone, and when the work
 * throws DeposedError. 2. Two terms of one process never overlap. 3. Any other error of the work is a bug: it ends `run`.
 */
export class LeadershipLoop implements Loop {
  readonly #options: LeadershipOptions;
  #leadership: Leadership | undefined;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  /** The term of this controller; undefined while another leads. */
  get leadership(): Leadership | undefined {
    return this.#leadership?.isHeld() === true ? this.#leadership : undefined;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, leaseMs } = this.#options;
    for (;;) {
      const sentAtMs = clock.monotonicMs();
      const candidacy = await this.#campaign(signal);
      if (candidacy !== undefined) {
        await this.#lead(candidacy, sentAtMs, signal);
      }
      await clock.sleep(leaseMs / TRIES_PER_LEASE, signal);
    }
  }

  async #campaign(signal: AbortSignal): Promise<Candidacy | undefined> {
    try {
      return await tryToLead(this.#options.store, this.#options.record, this.#options.leaseMs, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isRetryable(error) && !isClusterError(error, 'NOT_FOUND')) {
        throw error;
      }
      return undefined;
    }
  }

  async #lead(candidacy: Candidacy, sentAtMs: number, signal: AbortSignal): Promise<void> {
    const { clock, leaseMs, logger, store } = this.#options;
    const term = { confirmedAtMs: sentAtMs, isOver: false };
    const isHeld = (): boolean => !term.isOver && clock.monotonicMs() < term.confirmedAtMs + leaseMs * HOLD_SHARE;
    const leadership: Leadership = { epoch: candidacy.epoch, isHeld };
    this.#leadership = leadership;
    logger.info({ epoch: candidacy.epoch }, 'leading');
    try {
      await superviseLoops({
        renewal: { run: inner => this.#renew(candidacy, term, inner) },
        deadline: { run: inner => this.#watchDeadline(term, inner) },
        key: { run: inner => this.#watchKey(candidacy.epoch, inner) },
        work: this.#options.work(leadership),
      }, signal);
    } catch (error) {
      if (!(error instanceof DeposedError)) {
        throw error;
      }
      logger.info({ epoch: candidacy.epoch, reason: error.message }, 'not leading any more');
    } finally {
      term.isOver = true;
      this.#leadership = undefined;
      await giveUpLease(store, candidacy.leaseId);
    }
    signal.throwIfAborted();
  }

  async #renew(candidacy: Candidacy, term: { confirmedAtMs: number }, signal: AbortSignal): Promise<void> {
    const { clock, leaseMs, store } = this.#options;
    for (;;) {
      await clock.sleep(leaseMs / RENEWALS_PER_LEASE, signal);
      const sentAtMs = clock.monotonicMs();
      try {
        await confirmLeadership(store, candidacy, signal);
        term.confirmedAtMs = sentAtMs;
      } catch (error) {
        signal.throwIfAborted();
        if (isClusterError(error, 'NOT_FOUND')) {
          throw new DeposedError(error.message, { cause: error });
        }
        if (!isRetryable(error)) {
          throw error;
        }
        // Not known: the deadline decides.
      }
    }
  }

  async #watchDeadline(term: { readonly confirmedAtMs: number }, signal: AbortSignal): Promise<void> {
    const { clock, leaseMs } = this.#options;
    for (;;) {
      const leftMs = term.confirmedAtMs + leaseMs * HOLD_SHARE - clock.monotonicMs();
      if (leftMs <= 0) {
        throw new DeposedError('no renewal was confirmed in time');
      }
      await clock.sleep(leftMs, signal);
    }
  }

  async #watchKey(epoch: number, signal: AbortSignal): Promise<void> {
    const { cluster } = this.#options;
    signal.throwIfAborted();
    const over = Promise.withResolvers<never>();
    const look = (): void => {
      if (cluster.current.etcdRevision >= epoch && cluster.current.epoch !== epoch) {
        over.reject(new DeposedError('the leader key is gone'));
      }
    };
    const onAbort = (): void => { over.reject(signal.reason as Error); };
    signal.addEventListener('abort', onAbort);
    const stop = cluster.onChange(look);
    try {
      look();
      await over.promise;
    } finally {
      stop();
      signal.removeEventListener('abort', onAbort);
    }
  }
}
