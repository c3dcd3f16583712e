/** A queue for one reader that keeps the newest `capacity` items: a slow reader loses the oldest. */
export class RecentItems<Item> {
  readonly #capacity: number;
  #items: Item[] = [];
  #wake: () => void = () => undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** False when the oldest had to go. */
  push(item: Item): boolean {
    const isFull = this.#items.length >= this.#capacity;
    if (isFull) {
      this.#items.shift();
    }
    this.#items.push(item);
    this.#wake();
    return !isFull;
  }

  /** Items from now on, until `signal` aborts. */
  async *read(signal: AbortSignal): AsyncGenerator<Item, void, undefined> {
    const onAbort = (): void => { this.#wake(); };
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        const items = this.#items;
        this.#items = [];
        yield* items;
        if (this.#items.length === 0) {
          await new Promise<void>(resolve => {
            this.#wake = resolve;
            if (signal.aborted) {
              resolve();
            }
          });
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
