import type { Clock } from '#kit/clock.ts';
import type { Loop } from '#kit/supervise-loop.ts';

/** Often enough that a container that logs as fast as it can stays far from conmon's own hard limit. */
const ROTATE_INTERVAL_MS = 1000;

/** Keeps the logs of running containers bounded. */
export class RotateLoop implements Loop {
  readonly #rotateAll: () => Promise<void>;
  readonly #clock: Clock;

  /** @param rotateAll  rotates each log that is large enough; one that cannot be rotated now is for the next time */
  constructor(rotateAll: () => Promise<void>, clock: Clock) {
    this.#rotateAll = rotateAll;
    this.#clock = clock;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#rotateAll();
      await this.#clock.sleep(ROTATE_INTERVAL_MS, signal).catch(() => undefined);
    }
  }
}
