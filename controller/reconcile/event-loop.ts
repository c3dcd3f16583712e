import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { ClusterError } from '#model/errors.ts';
import type { ClusterEvent } from '#model/event.ts';
import { boundedText, MAX_MESSAGE_BYTES } from '../store/bounded-text.ts';
import { buildKey } from '../store/keys.ts';
import type { Store, StoredValue } from '../store/ports.ts';
import { decodeClusterEvent, encodeClusterEvent, RecordError } from '../store/records.ts';
import { foldEvent, joinEvents } from './event-fold.ts';
import { createRevisionOf } from './object-birth.ts';
import type { PlannedEvent } from './plan.ts';

export interface EventLoopOptions {
  readonly store: Store;
  readonly cluster: { readonly current: Pick<ClusterSnapshot, 'apps' | 'services' | 'nodes'> };
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told each event as it is recorded, for NATS. */
  readonly onEvent?: (event: ClusterEvent) => void;
}

const FLUSH_INTERVAL_MS = 250;
/** Events in one transaction. */
const BATCH_SIZE = 60;
/** Of one batch, while others count the same events. */
const MAX_TRIES = 4;
/** (object, reason) pairs that wait; beyond, new ones are dropped: events are news, nothing is decided on them. */
const MAX_PENDING = 2_000;
const LEASE_MS = 3_600_000;
/** A new lease this often, so that an event stays an hour at least and a quarter more at most. */
const LEASE_AGE_MS = 900_000;

/**
 * Records of what happened, in etcd under a lease of an hour: one per (object, reason), with a count and the messages that differ.
 *
 * 1. `record` never throws and never waits. 2. What cannot be written now is written later, or dropped when there is too much. 3. Controllers that
 * count one event at once lose none.
 */
export class EventLoop implements Loop {
  readonly #options: EventLoopOptions;
  readonly #pending = new Map<string, ClusterEvent>();
  #lease: { readonly id: string; readonly grantedAtMs: number } | undefined;
  #dropped = 0;
  #wake: () => void = () => undefined;

  constructor(options: EventLoopOptions) {
    this.#options = options;
  }

  record(events: readonly PlannedEvent[]): void {
    for (const planned of events) {
      const key = `${planned.object} ${planned.reason}`;
      const known = this.#pending.get(key);
      if (known === undefined && this.#pending.size >= MAX_PENDING) {
        this.#dropped += 1;
        continue;
      }
      const event = foldEvent(known, { ...planned, message: boundedText(planned.message, MAX_MESSAGE_BYTES) }, this.#options.clock.nowMs());
      this.#pending.set(key, event);
      this.#options.onEvent?.(event);
    }
    this.#wake();
  }

  /** Writes what was recorded FLUSH_INTERVAL_MS after the first of it. @throws the signal's reason when it aborts */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#recorded(signal);
      await this.#options.clock.sleep(FLUSH_INTERVAL_MS, signal);
      while (this.#pending.size > 0 && await this.#flush(signal)) { /* the next batch */ }
    }
  }

  async #recorded(signal: AbortSignal): Promise<void> {
    if (this.#pending.size > 0) {
      return;
    }
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const wake = (): void => { resolve(undefined); };
    this.#wake = wake;
    signal.addEventListener('abort', wake);
    await promise;
    signal.removeEventListener('abort', wake);
    signal.throwIfAborted();
  }

  /** False when etcd does not take events now. */
  async #flush(signal: AbortSignal): Promise<boolean> {
    const batch = [...this.#pending].slice(0, BATCH_SIZE);
    batch.forEach(([key]) => this.#pending.delete(key));
    try {
      await this.#write(this.#keyed(batch.map(([, event]) => event)), await this.#leaseId(), signal);
      this.#reportDropped();
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ClusterError)) {
        throw error;
      }
      if (error.code !== 'CONFLICT') this.#lease = undefined;
      // An ambiguous write may count twice; it is not lost.
      for (const [key, event] of batch) {
        const newer = this.#pending.get(key);
        this.#pending.set(key, newer === undefined ? event : joinEvents(event, newer));
      }
      return false;
    }
  }

  /** By their keys, without those whose object or reason cannot be one. */
  #keyed(events: readonly ClusterEvent[]): ReadonlyMap<string, ClusterEvent> {
    return new Map(events.flatMap(event => {
      try {
        return [[buildKey({ kind: 'event', object: event.object, reason: event.reason }), event] as const];
      } catch (error) {
        this.#options.logger.error({ err: error, object: event.object, reason: event.reason }, 'an event has no key');
        return [];
      }
    }));
  }

  /** As if nothing had happened before, as is mostly so; what etcd has of them is read where it refuses that. @throws ClusterError CONFLICT when others keep counting them */
  async #write(events: ReadonlyMap<string, ClusterEvent>, leaseId: string, signal: AbortSignal): Promise<void> {
    const { store } = this.#options;
    const known = new Map<string, StoredValue>();
    for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
      const outcome = await store.transact(
        [...events.keys()].map(key => ({ kind: 'mod-revision', key, revision: known.get(key)?.modRevision ?? 0 })),
        [...events].map(([key, event]) => ({ kind: 'put', key, value: encodeClusterEvent(this.#joined(known.get(key), event)), leaseId })), signal);
      if (outcome.kind === 'committed') {
        return;
      }
      await Promise.all(outcome.failed.map(async key => {
        const stored = await store.get(key, signal);
        if (stored === undefined) {
          known.delete(key);
        } else {
          known.set(key, stored);
        }
      }));
    }
    throw new ClusterError('CONFLICT', 'others keep counting the same events');
  }

  /** Of an earlier object of the same name nothing is counted. */
  #joined(entry: StoredValue | undefined, event: ClusterEvent): ClusterEvent {
    const bornAt = createRevisionOf(event.object, this.#options.cluster.current);
    return entry === undefined || entry.modRevision < bornAt ? event : joinStored(entry, event);
  }

  async #leaseId(): Promise<string> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#lease === undefined || nowMs - this.#lease.grantedAtMs > LEASE_AGE_MS) {
      this.#lease = { id: await this.#options.store.grantLease(LEASE_MS + LEASE_AGE_MS), grantedAtMs: nowMs };
    }
    return this.#lease.id;
  }

  #reportDropped(): void {
    if (this.#dropped > 0) {
      this.#options.logger.warn({ dropped: this.#dropped }, 'events were dropped: too many at once');
      this.#dropped = 0;
    }
  }
}

function joinStored(entry: StoredValue, event: ClusterEvent): ClusterEvent {
  try {
    return joinEvents(decodeClusterEvent(entry.value), event);
  } catch (error) {
    if (error instanceof RecordError) {
      // Damaged or newer: this one replaces it.
      return event;
    }
    throw error;
  }
}
