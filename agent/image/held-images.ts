import type { Digest } from '#model/digest.ts';
import type { TaskId } from '#model/ids.ts';

export interface HeldImage {
  readonly digest: Digest;
  /** On whose behalf. */
  readonly task: TaskId;
}

/** Images that are in use and that no record of a task names: those of debug containers, from before the pull until nothing of the container is left. */
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
