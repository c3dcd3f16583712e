import type { Clock } from '#kit/clock.ts';

/** What follows a start goes before what nobody waits for: its report, and the endpoints that come of it. */
const CALM_MS = 20;
const MAX_QUIET_WAIT_MS = 1000;
const NEVER = new AbortController().signal;

/**
 * Lets at most `width` starts through at a time, in the order they came: more at once only makes each slower.
 *
 * A waiter whose signal aborts leaves the queue.
 */
export class StartGate {
  readonly #width: number;
  readonly #clock: Clock;
  #free: number;
  #leftAtMs = -Infinity;
  readonly #waiting: (() => void)[] = [];
  #onQuiet: (() => void)[] = [];

  constructor(width: number, clock: Clock) {
    this.#width = width;
    this.#free = width;
    this.#clock = clock;
  }

  /** Resolves when nobody is being let through, and was not for a while: the time for work that would only make starts slower. Where starts never cease, after MAX_QUIET_WAIT_MS. */
  async quiet(): Promise<void> {
    const latestAtMs = this.#clock.monotonicMs() + MAX_QUIET_WAIT_MS;
    for (let calmInMs = this.#calmInMs(); calmInMs > 0 && this.#clock.monotonicMs() < latestAtMs; calmInMs = this.#calmInMs()) {
      const over = this.#clock.sleep(Math.min(calmInMs, latestAtMs - this.#clock.monotonicMs()), NEVER);
      await (calmInMs === Infinity ? Promise.race([over, new Promise<void>(resolve => { this.#onQuiet.push(resolve); })]) : over);
    }
  }

  #calmInMs(): number {
    return this.#free < this.#width ? Infinity : this.#leftAtMs + CALM_MS - this.#clock.monotonicMs();
  }

  async pass<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    await this.#enter(signal);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const enter = (): void => { resolve(undefined); };
    const onAbort = (): void => {
      const index = this.#waiting.indexOf(enter);
      if (index >= 0) {
        this.#waiting.splice(index, 1);
        reject(signal.reason as Error);
      }
    };
    this.#waiting.push(enter);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    this.#free += 1;
    this.#leftAtMs = this.#clock.monotonicMs();
    if (this.#free === this.#width) {
      this.#onQuiet.forEach(resolve => { resolve(); });
      this.#onQuiet = [];
    }
  }
}
