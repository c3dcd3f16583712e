import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Time, and waiting for it. Intervals use `monotonicMs`, display uses `nowMs`.
 *
 * 1. `monotonicMs` never goes back and does not follow the wall clock.
 * 2. A sleep rejects with the signal's reason as soon as the signal aborts.
 */
export interface Clock {
  /** Unix epoch milliseconds; may jump. */
  nowMs(): number;
  /** Milliseconds since some fixed point of this process. */
  monotonicMs(): number;
  /** Resolves after `durationMs` (0 and below: soon). */
  sleep(durationMs: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(durationMs, signal) {
    signal.throwIfAborted();
    try {
      await sleep(Math.max(0, durationMs), undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  },
};
