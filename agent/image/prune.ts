/** Decides which images of a node are kept. */
import type { Digest } from '#model/digest.ts';

export interface UsedImage {
  readonly digest: Digest;
  /** Time of the last pull, request or use. */
  readonly usedAtMs: number;
  /** Size of its unpacked files, including layers that it shares. */
  readonly sizeBytes: number;
}

export interface PruneLimits {
  /** Time after which an unnamed image is removed. */
  readonly unusedMs: number;
  /**
   * Bytes to free: younger images are removed as well, the longest unused first, until they add up
   * to this.
   */
  readonly wantedBytes: number;
  readonly nowMs: number;
}

/**
 * Returns the named images, and of the others those that were used recently and are not needed for
 * `wantedBytes`. A use in the future (the clock was set back) counts as a use now.
 */
export function imagesToKeep(images: readonly UsedImage[], named: ReadonlySet<Digest>, { unusedMs, wantedBytes, nowMs }: PruneLimits): ReadonlySet<Digest> {
  const keep = new Set(named);
  let freedBytes = 0;
  const idle = images.filter(image => !named.has(image.digest)).toSorted((a, b) => a.usedAtMs - b.usedAtMs || (a.digest < b.digest ? -1 : 1));
  for (const image of idle) {
    if (Math.max(0, nowMs - image.usedAtMs) >= unusedMs || freedBytes < wantedBytes) freedBytes += image.sizeBytes;
    else keep.add(image.digest);
  }
  return keep;
}

/**
 * Returns all images except one: those on disk, and those that tasks need and that may be in a
 * pull.
 */
export function imagesWithout(removed: Digest, present: Iterable<Digest>, named: Iterable<Digest>): ReadonlySet<Digest> {
  return new Set([...present, ...named].filter(digest => digest !== removed));
}

/** Returns the bytes above the allowed usage of the disk. */
export function bytesOver({ totalBytes, usedBytes }: { readonly totalBytes: number; readonly usedBytes: number }, diskPercent: number): number {
  return Math.max(0, usedBytes - Math.floor(totalBytes / 100 * diskPercent));
}
