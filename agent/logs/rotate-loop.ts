import type { Clock } from '#kit/clock.ts';
import type { Loop } from '#kit/supervise-loop.ts';

/** Keeps the logs of running containers bounded. */
export class RotateLoop implements Loop {
  readonly #rotateAll: () => Promise<number>;
  readonly #clock: Clock;

  /** @param rotateAll  keeps what the monitors are about to replace, and returns the time until it is to be called again */
  constructor(rotateAll: () => Promise<number>, clock: Clock) {
    this.#rotateAll = rotateAll;
    this.#clock = clock;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = await this.#rotateAll();
      await this.#clock.sleep(waitMs, signal).catch(() => undefined);
    }
  }
}
