import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { isRetryable } from '#model/errors.ts';
import { DeposedError } from './leadership-loop.ts';

export interface LeaderInterval {
  readonly intervalMs: number;
  /** Said in the log when a look did not work. */
  readonly failure: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Looks each `intervalMs`, first after one. What throws is logged, unless the store is away just then, and the next look comes all the same. @throws DeposedError, or the signal's reason */
export async function lookWhileLeader(look: () => Promise<void>, { intervalMs, failure, clock, logger }: LeaderInterval, signal: AbortSignal): Promise<never> {
  for (;;) {
    await clock.sleep(intervalMs, signal);
    try {
      await look();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof DeposedError) {
        throw error;
      }
      if (!isRetryable(error)) {
        logger.error({ err: error }, failure);
      }
    }
  }
}
