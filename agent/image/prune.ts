/** Which images of a node stay. */
import type { Digest } from '#model/digest.ts';

export interface UsedImage {
  readonly digest: Digest;
  /** When it was pulled, asked for or seen in use, whatever came last. */
  readonly usedAtMs: number;
}

/** The images that are named, and those that were used in the last `unusedMs`; a use that a set-back clock puts into the future is one of just now. */
export function imagesToKeep(images: readonly UsedImage[], named: ReadonlySet<Digest>, { nowMs, unusedMs }: { readonly nowMs: number; readonly unusedMs: number }): ReadonlySet<Digest> {
  return new Set([...named, ...images.filter(image => Math.max(0, nowMs - image.usedAtMs) < unusedMs).map(image => image.digest)]);
}
