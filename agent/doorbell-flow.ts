import type { Clock } from '#kit/clock.ts';

/** Made once: an abort without a reason makes a DOMException, with its stack, at each ring. */
const WOKEN = new Error('woken before its time');

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
    const asleep = durationMs === undefined ? undefined : new AbortController();
    const { promise, resolve } = Promise.withResolvers<'rung' | 'over'>();
    const open = (): void => { resolve('rung'); };
    this.#open = open;
    signal.addEventListener('abort', open, { once: true });
    if (durationMs !== undefined && asleep !== undefined) {
      clock.sleep(durationMs, asleep.signal).then(() => { resolve('over'); }, () => { /* woken before its time */ });
    }
    const end = await promise;
    this.#open = undefined;
    signal.removeEventListener('abort', open);
    if (end === 'rung') asleep?.abort(WOKEN);
  }
}
