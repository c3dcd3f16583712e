import type { Clock } from '#kit/clock.ts';

/** Lets one loop wait for "look again". A ring that comes while nobody waits is kept; several are one. */
export class Doorbell {
  #isRung = false;
  #open: (() => void) | undefined;

  ring(): void {
    this.#isRung = true;
    this.#open?.();
  }

  /** Resolves at the next ring, or after `durationMs`. @throws the signal's reason when it aborts */
  async wait(durationMs: number | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#isRung) {
      await this.#ringOrTime(durationMs, clock, signal);
    }
    this.#isRung = false;
    signal.throwIfAborted();
  }

  async #ringOrTime(durationMs: number | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const open = (): void => { resolve(undefined); };
    this.#open = open;
    signal.addEventListener('abort', open, { once: true });
    const callOff = durationMs === undefined ? undefined : clock.after(durationMs, open);
    await promise;
    callOff?.();
    this.#open = undefined;
    signal.removeEventListener('abort', open);
  }
}
