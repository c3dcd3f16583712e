import type { Clock } from '#kit/clock.ts';

interface Sleeper {
  readonly dueMs: number;
  readonly order: number;
  readonly wake: () => void;
}

/** 2026-01-01T00:00:00Z: where the wall clock of tests starts. */
export const T0 = 1_767_225_600_000;

/**
 * Time that moves only when told.
 *
 * 1. `advance` wakes sleepers in the order of their due times, ties in the order of their calls, with the clock at each one's due time.
 * 2. Between two wake-ups it lets all promise work that needs no time run to its end.
 */
export class FakeClock implements Clock {
  #elapsedMs = 0;
  #wallOffsetMs: number;
  #calls = 0;
  #sleepers: Sleeper[] = [];

  constructor(startMs: number = T0) {
    this.#wallOffsetMs = startMs;
  }

  nowMs(): number {
    return this.#wallOffsetMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  /** Moves the wall clock alone, as an operator or NTP does. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  async sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const wakeNoMore = this.after(durationMs, () => { resolve(undefined); });
    const onAbort = (): void => {
      wakeNoMore();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async turn(): Promise<void> {
    await Promise.resolve();
  }

  after(durationMs: number, work: () => void): () => void {
    const sleeper: Sleeper = { dueMs: this.#elapsedMs + Math.max(0, durationMs), order: this.#calls, wake: work };
    this.#calls += 1;
    this.#sleepers.push(sleeper);
    return () => { this.#sleepers = this.#sleepers.filter(other => other !== sleeper); };
  }

  /** Lets `durationMs` pass. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#elapsedMs + durationMs;
    await settle();
    for (let next = this.#takeDue(endMs); next !== undefined; next = this.#takeDue(endMs)) {
      this.#elapsedMs = next.dueMs;
      next.wake();
      await settle();
    }
    this.#elapsedMs = endMs;
    await settle();
  }

  /** Moves the clock without running anything: what a stalled event loop sees afterwards. */
  stall(durationMs: number): void {
    this.#elapsedMs += durationMs;
  }

  /** Sleepers now waiting. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  #takeDue(endMs: number): Sleeper | undefined {
    const due = this.#sleepers.filter(one => one.dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0];
    this.#sleepers = this.#sleepers.filter(one => one !== due);
    return due === undefined ? undefined : { ...due, dueMs: Math.max(due.dueMs, this.#elapsedMs) };
  }
}

/** Runs promise callbacks and immediates that are ready, and those they make ready, a few times over. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise<void>(resolve => { setImmediate(resolve); });
  }
}
