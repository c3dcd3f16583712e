import { backoffMs } from '#kit/backoff.ts';
import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { EndpointSet } from '#model/endpoints.ts';
import { Doorbell } from './doorbell-flow.ts';

/** Makes one part of the node equal the set: proxy, names, routes to peers. Idempotent. */
export type ApplyEndpoints = (set: EndpointSet) => Promise<void>;

const RETRY_BACKOFF = { firstMs: 200, maxMs: 5_000 };

/** Brings the newest endpoint set into force; ones in between are skipped, older ones ignored. Tried again until it works. */
export class EndpointsLoop {
  readonly #apply: readonly ApplyEndpoints[];
  readonly #onApplied: (generation: number) => void;
  readonly #shell: { readonly clock: Clock; readonly log: Logger };
  readonly #bell = new Doorbell();
  #wanted: EndpointSet | undefined;
  #applied: EndpointSet | undefined;
  #failures = 0;

  constructor(apply: readonly ApplyEndpoints[], onApplied: (generation: number) => void, shell: { readonly clock: Clock; readonly log: Logger }) {
    this.#apply = apply;
    this.#onApplied = onApplied;
    this.#shell = shell;
  }

  /** Offers a set; one of the same generation is applied again, since a new session may follow a repair. */
  offer(set: EndpointSet): void {
    if (this.#wanted === undefined || set.generation >= this.#wanted.generation) {
      this.#wanted = set;
      this.#bell.ring();
    }
  }

  /** Somebody took rules away: all of the newest set is applied again. */
  again(): void {
    this.#applied = undefined;
    this.#bell.ring();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const isDone = this.#wanted === undefined || this.#wanted === this.#applied;
        await (isDone ? this.#bell.wait(undefined, this.#shell.clock, signal) : this.#applyNewest(this.#wanted));
        this.#failures = isDone ? this.#failures : 0;
      } catch (error) {
        if (isAborted(signal)) {
          return;
        }
        this.#failures += 1;
        this.#shell.log.error({ err: error }, 'endpoints not applied; tried again');
        await this.#bell.wait(backoffMs(RETRY_BACKOFF, this.#failures, 1), this.#shell.clock, signal).catch(() => { /* the loop's condition sees the signal */ });
      }
    }
  }

  async #applyNewest(set: EndpointSet | undefined): Promise<void> {
    if (set === undefined) {
      return;
    }
    // All of them end before the next try: an older set that is still being applied must not land after a newer one.
    const outcomes = await Promise.allSettled(this.#apply.map(async apply => { await apply(set); }));
    const failed = outcomes.find(outcome => outcome.status === 'rejected');
    if (failed !== undefined) {
      throw failed.reason;
    }
    this.#applied = set;
    this.#onApplied(set.generation);
  }
}

/** Asked anew: while a call waits, the answer changes. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
