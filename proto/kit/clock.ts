/**
 * Time, and waiting for it. Intervals use `monotonicMs`, display uses `nowMs`.
 *
 * 1. `monotonicMs` never goes back and does not follow the wall clock.
 * 2. A sleep rejects with the signal's reason as soon as the signal aborts.
 * 3. `after` calls `work` once, unless what it returned was called before. 4. A turn takes no time: whoever is waited for by nobody takes one, so
 * that work which is comes first.
 */
export interface Clock {
  /** Unix epoch milliseconds; may jump. */
  nowMs(): number;
  /** Milliseconds since some fixed point of this process. */
  monotonicMs(): number;
  /** Resolves after `durationMs` (0 and below: soon). */
  sleep(durationMs: number, signal: AbortSignal): Promise<void>;
  /** Resolves in the next turn of the event loop: what was made in this one leaves before. */
  turn(): Promise<void>;
  /** For waits that are mostly over before their time: `work` in `durationMs` (0 and below: soon). Returns what calls it off. */
  after(durationMs: number, work: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  /** Not by timers/promises: that makes an error with its stack each time a sleeper is woken. */
  async sleep(durationMs, signal) {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const timer = setTimeout(resolve, Math.max(0, durationMs), undefined);
    const onAbort = (): void => { reject(signal.reason as Error); };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  },
  /** Sockets are written before immediates run. Source: Node.js, src/env.cc, CheckImmediate: native immediates, HTTP/2's among them, come first */
  turn: async () => { await new Promise<void>(resolve => { setImmediate(resolve); }); },
  after(durationMs, work) {
    const timer = setTimeout(work, Math.max(0, durationMs));
    return () => { clearTimeout(timer); };
  },
};
