import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

export interface Interval {
  readonly intervalMs: number;
  /** Said in the log when it did not work. */
  readonly failure: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Works each `intervalMs`, first after one, until `signal` aborts. What throws is logged, and the next time comes all the same. */
export async function everyInterval(work: () => Promise<void>, { intervalMs, failure, clock, log }: Interval, signal: AbortSignal): Promise<void> {
  for (;;) {
    await clock.sleep(intervalMs, signal).catch(() => { /* the next line sees the signal */ });
    if (signal.aborted) return;
    await work().catch((error: unknown) => { log.warn({ err: error }, failure); });
  }
}
