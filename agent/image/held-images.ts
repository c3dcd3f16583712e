import type { Digest } from '#model/digest.ts';
import type { TaskId } from '#model/ids.ts';

export interface HeldImage {
  readonly digest: Digest;
  /** Task of the debug container. */
  readonly task: TaskId;
}

/**
 * Holds images that are in use but in no task record: those of debug containers, from before the
 * pull until the container is removed.
 */
export class HeldImages {
  readonly #held = new Set<HeldImage>();

  hold(image: HeldImage): Disposable {
    const own = { ...image };
    this.#held.add(own);
    return { [Symbol.dispose]: () => { this.#held.delete(own); } };
  }

  all(): readonly HeldImage[] {
    return [...this.#held];
  }
}
