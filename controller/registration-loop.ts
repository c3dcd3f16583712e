import type { Clock } from '#kit/clock.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import { isClusterError, isRetryable } from '#model/errors.ts';
import type { ControllerRecord } from '#model/node.ts';
import { giveUpLease } from './store/election-store.ts';
import { buildKey } from './store/keys.ts';
import type { Store } from './store/ports.ts';
import { encodeControllerRecord } from './store/records.ts';

export interface RegistrationOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly record: ControllerRecord;
  readonly leaseMs: number;
}

const TRIES_PER_LEASE = 6;

/**
 * Says in etcd that this controller is alive: `controllers/ID` under a lease of its own, renewed, and made again whenever etcd lost it.
 *
 * That a lease is lost never means that the controller's nodes are; it only tells the leader to begin counting for them.
 */
export class RegistrationLoop implements Loop {
  readonly #options: RegistrationOptions;
  readonly #key: string;
  readonly #value: Uint8Array;
  #lastRenewedMs = Number.NEGATIVE_INFINITY;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#key = buildKey({ kind: 'controller', id: options.record.id });
    this.#value = encodeControllerRecord(options.record);
  }

  /** Send time of the last renewal that etcd confirmed. Heartbeats may be acknowledged within 2/3 LEASE of it (reliability 3). */
  lastRenewedMonotonicMs(): number {
    return this.#lastRenewedMs;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, leaseMs, store } = this.#options;
    let leaseId: string | undefined;
    try {
      for (;;) {
        const sentAtMs = clock.monotonicMs();
        try {
          leaseId ??= await store.grantLease(leaseMs);
          await this.#confirm(leaseId, signal);
          this.#lastRenewedMs = sentAtMs;
        } catch (error) {
          signal.throwIfAborted();
          leaseId = isGone(error) ? undefined : leaseId;
        }
        await clock.sleep(leaseMs / TRIES_PER_LEASE, signal);
      }
    } finally {
      if (leaseId !== undefined) {
        await giveUpLease(store, leaseId);
      }
    }
  }

  /** The lease is renewed and the key is there. @throws ClusterError NOT_FOUND when the lease is gone */
  async #confirm(leaseId: string, signal: AbortSignal): Promise<void> {
    const { store } = this.#options;
    await store.renewLease(leaseId);
    const entry = await store.get(this.#key, signal);
    if (entry === undefined || Buffer.compare(entry.value, this.#value) !== 0) {
      await store.transact([], [{ kind: 'put', key: this.#key, value: this.#value, leaseId }], signal);
    }
  }
}

/** True when the lease is gone, false when it is not known. @throws the error when it is neither */
function isGone(error: unknown): boolean {
  if (!isClusterError(error, 'NOT_FOUND') && !isRetryable(error)) {
    throw error;
  }
  return isClusterError(error, 'NOT_FOUND');
}
