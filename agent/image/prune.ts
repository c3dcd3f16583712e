/** Which images of a node stay. */
import type { Digest } from '#model/digest.ts';

export interface UsedImage {
  readonly digest: Digest;
  /** When it was pulled, asked for or seen in use, whatever came last. */
  readonly usedAtMs: number;
  /** Of its unpacked files; layers that it shares with others are counted in. */
  readonly sizeBytes: number;
}

export interface PruneLimits {
  /** An image that is not named goes after this long. */
  readonly unusedMs: number;
  /** Bytes that should come free: younger ones go too, the longest unused first, until so many would. */
  readonly wantedBytes: number;
  readonly nowMs: number;
}

/** The images that are named, and of the others those that were used lately and are not in the way; a use that a set-back clock puts into the future is one of just now. */
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

/** All but one: what is here, and what tasks need and is perhaps just being pulled. */
export function imagesWithout(removed: Digest, present: Iterable<Digest>, named: Iterable<Digest>): ReadonlySet<Digest> {
  return new Set([...present, ...named].filter(digest => digest !== removed));
}

/** Bytes above the share of the disk that may be used. */
export function bytesOver({ totalBytes, usedBytes }: { readonly totalBytes: number; readonly usedBytes: number }, diskPercent: number): number {
  return Math.max(0, usedBytes - Math.floor(totalBytes / 100 * diskPercent));
}
