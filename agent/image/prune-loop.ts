import type { Clock } from '#kit/clock.ts';
import { everyInterval } from '#kit/interval-loop.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { Digest } from '#model/digest.ts';
import type { PrunableImages } from './ports.ts';
import { bytesOver, imagesToKeep } from './prune.ts';
import type { PruneLimits } from './prune.ts';

export interface PruneParts {
  readonly images: PrunableImages;
  /**
   * Images that tasks of this node need; undefined while the tasks are unknown: then nothing is
   * removed.
   */
  readonly named: () => Iterable<Digest> | undefined;
  /** Usage of the disk with the images. */
  readonly disk: () => Promise<{ readonly totalBytes: number; readonly usedBytes: number }>;
  readonly limits: { readonly unusedMs: number; readonly diskPercent: number };
  /** Called after images were removed, with one line for users. */
  readonly onPruned: (message: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Time between two checks of the disk. */
const LOOK_INTERVAL_MS = 60_000;

/**
 * Removes unused images: those unused for long, more while the disk is too full, and all when a
 * pull finds the disk full.
 */
export class PruneLoop implements Loop {
  readonly #parts: PruneParts;

  constructor(parts: PruneParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    await everyInterval(async () => { await this.#look(); }, { ...this.#parts, intervalMs: LOOK_INTERVAL_MS, failure: 'images not pruned' }, signal);
  }

  /** Removes every image that no task needs, however new. */
  async makeRoom(): Promise<void> {
    await this.#prune({ unusedMs: 0, wantedBytes: 0 }, 'a pull found the disk full');
  }

  async #look(): Promise<void> {
    const { disk, limits } = this.#parts;
    const wantedBytes = bytesOver(await disk(), limits.diskPercent);
    const why = wantedBytes > 0 ? `the disk is more than ${String(limits.diskPercent)} % used` : 'unused for long';
    await this.#prune({ unusedMs: limits.unusedMs, wantedBytes }, why);
  }

  async #prune(limits: Omit<PruneLimits, 'nowMs'>, why: string): Promise<void> {
    const { images, clock } = this.#parts;
    await images.markUsed(new Set(this.#parts.named() ?? []));
    const known = await images.list();
    // Checked last: no task can arrive between this check and the lock of the store.
    const named = this.#parts.named();
    if (named === undefined) {
      return;
    }
    const keep = imagesToKeep(known, new Set(named), { ...limits, nowMs: clock.nowMs() });
    const goneCount = known.filter(image => !keep.has(image.digest)).length;
    const { freedBytes } = await images.prune(keep);
    if (goneCount > 0) {
      this.#parts.onPruned(`${String(goneCount)} images that no task needs removed, ${String(Math.round(freedBytes / 2 ** 20))} MiB free again: ${why}`);
    }
  }
}
