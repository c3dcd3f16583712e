import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';

/** Lines for the first handshakes of an address in a period. The handshakes after them share one line at its end. */
const LINES_OF_ONE = 5;
/** Reasons of an address in a period that get a line of their own, also after `LINES_OF_ONE`. */
const REASONS_OF_ONE = 16;
const PERIOD_MS = 60_000;
/** Addresses of a period; those beyond it share one count. */
const MAX_ADDRESSES = 64;
const OTHERS = 'others';

interface Refusals {
  count: number;
  unlogged: number;
  readonly reasons: Set<string>;
  lastReason: string;
}

/** Logs refused handshakes of a listener with their reasons, within a bound: a client that is refused again and again fills no log. */
export class RefusalLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #byAddress = new Map<string, Refusals>();
  #cancelPeriod: (() => void) | undefined;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  add(address: string, reason: string): void {
    this.#cancelPeriod ??= this.#clock.after(PERIOD_MS, () => { this.flush(); });
    const key = this.#byAddress.has(address) || this.#byAddress.size < MAX_ADDRESSES ? address : OTHERS;
    const refusals = this.#byAddress.get(key) ?? { count: 0, unlogged: 0, reasons: new Set(), lastReason: '' };
    this.#byAddress.set(key, refusals);
    refusals.count += 1;
    refusals.lastReason = reason;
    const isNew = !refusals.reasons.has(reason) && refusals.reasons.size < REASONS_OF_ONE;
    if (refusals.count > LINES_OF_ONE && !isNew) {
      refusals.unlogged += 1;
      return;
    }
    refusals.reasons.add(reason);
    this.#log.warn({ address, reason }, 'handshake refused');
  }

  /** Ends the period: one line for each address with handshakes that have none. */
  flush(): void {
    this.#cancelPeriod?.();
    this.#cancelPeriod = undefined;
    for (const [address, { unlogged, lastReason }] of this.#byAddress) {
      if (unlogged > 0) this.#log.warn({ address, reason: lastReason, count: unlogged }, 'more handshakes refused');
    }
    this.#byAddress.clear();
  }
}
