/**
 * One run per key at a time; requests that come during a run make one more run after it.
 *
 * 1. `request(key)` never runs `work` of one key twice at once. 2. A request during a run is never lost. 3. At most
 * `concurrency` keys run at once, in the order of their requests. 4. A throw of `work` ends `run` with that error.
 */
export class KeyedQueue<Key> {
  readonly #waiting = new Set<Key>();
  readonly #running = new Set<Key>();
  readonly #work: (key: Key, signal: AbortSignal) => Promise<void>;
  readonly #concurrency: number;
  #wake: () => void = () => undefined;

  constructor(concurrency: number, work: (key: Key, signal: AbortSignal) => Promise<void>) {
    this.#concurrency = concurrency;
    this.#work = work;
  }

  request(key: Key): void {
    this.#waiting.add(key);
    this.#wake();
  }

  /** Runs until `signal` aborts, then waits for the runs in progress. */
  async run(signal: AbortSignal): Promise<void> {
    const inProgress = new Set<Promise<void>>();
    const failures: unknown[] = [];
    const onAbort = (): void => { this.#wake(); };
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted && failures.length === 0) {
        const key = this.#next();
        if (key === undefined) {
          await new Promise<void>(resolve => { this.#wake = resolve; });
          continue;
        }
        this.#waiting.delete(key);
        this.#running.add(key);
        const one: Promise<void> = this.#work(key, signal)
          .catch((error: unknown) => { if (!signal.aborted) failures.push(error); })
          .finally(() => {
            this.#running.delete(key);
            inProgress.delete(one);
            this.#wake();
          });
        inProgress.add(one);
      }
      await Promise.all(inProgress);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    if (failures.length > 0) {
      throw failures[0];
    }
  }

  #next(): Key | undefined {
    if (this.#running.size >= this.#concurrency) {
      return undefined;
    }
    for (const key of this.#waiting) {
      if (!this.#running.has(key)) {
        return key;
      }
    }
    return undefined;
  }
}
