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
  /** What tasks of this node need; undefined as long as the tasks are not known, when nothing may go. */
  readonly named: () => Iterable<Digest> | undefined;
  /** Of the disk that has the images. */
  readonly disk: () => Promise<{ readonly totalBytes: number; readonly usedBytes: number }>;
  readonly limits: { readonly unusedMs: number; readonly diskPercent: number };
  /** Called after images went, with a line for a person. */
  readonly onPruned: (message: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How often the disk is looked at. */
const LOOK_INTERVAL_MS = 60_000;

/** Removes images that no task needs: those unused for long, younger ones while the disk is fuller than it should be, and all when a pull finds no room. */
export class PruneLoop implements Loop {
  readonly #parts: PruneParts;

  constructor(parts: PruneParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    await everyInterval(async () => { await this.#look(); }, { ...this.#parts, intervalMs: LOOK_INTERVAL_MS, failure: 'images not pruned' }, signal);
  }

  /** Every image that no task needs goes, however new. */
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
    // Asked last: between this look and the store's own lock no task can come.
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
