/**
 * Runs work once that several callers want at the same time.
 * 1. Callers with the same key, while the work runs, get the same outcome. 2. A caller whose signal
 * aborts leaves alone; the work is aborted when the last one left. 3. After the end, the next call
 * starts again.
 */
export class SharedWork<T> {
  readonly #running = new Map<string, { readonly outcome: Promise<T>; readonly stop: AbortController; callers: number }>();

  async run(key: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const shared = this.#running.get(key) ?? this.#begin(key, work);
    shared.callers += 1;
    const { promise: left, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => {
      shared.callers -= 1;
      if (shared.callers > 0) {
        reject(signal.reason as Error);
        return;
      }
      // The last caller waits until the work has cleaned up.
      this.#forget(key, shared);
      shared.stop.abort(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([shared.outcome, left]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<T>): { readonly outcome: Promise<T>; readonly stop: AbortController; callers: number } {
    const stop = new AbortController();
    const shared = { outcome: work(stop.signal), stop, callers: 0 };
    this.#running.set(key, shared);
    const end = (): void => { this.#forget(key, shared); };
    shared.outcome.then(end, end);
    return shared;
  }

  #forget(key: string, shared: object): void {
    if (this.#running.get(key) === shared) this.#running.delete(key);
  }
}
