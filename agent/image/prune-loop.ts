import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { Digest } from '#model/digest.ts';
import type { PrunableImages } from './ports.ts';
import { imagesToKeep } from './prune.ts';

export interface PruneParts {
  readonly images: PrunableImages;
  /** What tasks of this node need; undefined as long as the tasks are not known, when nothing may go. */
  readonly named: () => ReadonlySet<Digest> | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

const PRUNE_INTERVAL_MS = 3_600_000;
const UNUSED_MS = 24 * 3_600_000;

/** Removes images that no task needs: every hour those that were not used for a day, and all of them when a pull finds no room. */
export class PruneLoop implements Loop {
  readonly #parts: PruneParts;

  constructor(parts: PruneParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    for (;;) {
      await clock.sleep(PRUNE_INTERVAL_MS, signal).catch(() => { /* the next line sees the signal */ });
      if (signal.aborted) {
        return;
      }
      await this.#prune(UNUSED_MS).catch((error: unknown) => { log.warn({ err: error }, 'images not pruned'); });
    }
  }

  /** Every image that no task needs goes, however new. */
  async makeRoom(): Promise<void> {
    await this.#prune(0);
  }

  async #prune(unusedMs: number): Promise<void> {
    const { images, clock, log } = this.#parts;
    await images.markUsed(this.#parts.named() ?? new Set());
    const known = await images.list();
    // Asked last: between this look and the store's own lock no task can come.
    const named = this.#parts.named();
    if (named !== undefined) {
      const { freedBytes } = await images.prune(imagesToKeep(known, named, { nowMs: clock.nowMs(), unusedMs }));
      log.info({ freedBytes }, 'images pruned');
    }
  }
}
