/**
 * One `commit` for all items that came while the one before was at work, as databases write their logs.
 *
 * 1. `add` resolves or throws with the commit that took its item, which began after `add` was called. 2. One commit at a time, items in their order.
 */
export class GroupCommit<Item> {
  readonly #commit: (items: readonly Item[]) => Promise<void>;
  #waiting: Item[] = [];
  #next: Promise<void> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(commit: (items: readonly Item[]) => Promise<void>) {
    this.#commit = commit;
  }

  async add(item: Item): Promise<void> {
    this.#waiting.push(item);
    if (this.#next === undefined) {
      this.#next = this.#last.then(async () => {
        const items = this.#waiting;
        this.#waiting = [];
        this.#next = undefined;
        await this.#commit(items);
      });
      this.#last = this.#next.catch(() => { /* those who added get the error */ });
    }
    await this.#next;
  }
}
