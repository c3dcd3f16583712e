/** Delays that double from `firstMs` up to `maxMs`. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * The delay before try `attempt` (from 1): full jitter over the doubled delay.
 *
 * @param random  0 <= random < 1, passed in
 * Source: AWS Architecture Blog, "Exponential Backoff And Jitter", full jitter
 */
export function backoffMs(backoff: Backoff, attempt: number, random: number): number {
  const ceiling = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(ceiling * random);
}
