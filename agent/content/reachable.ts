/** Computes which images and layers of a node are still needed. */
import type { Digest } from '#model/digest.ts';

export interface ReachableInput {
  readonly images: readonly { readonly digest: Digest; readonly layers: readonly string[] }[];
  /** All layers in the store. */
  readonly layers: readonly string[];
  readonly keep: ReadonlySet<Digest>;
}

/** Returns images that are not kept, and layers that no kept image has; each in the given order. */
export function findUnreachable(input: ReachableInput): { readonly images: readonly Digest[]; readonly layers: readonly string[] } {
  const needed = new Set(input.images.filter(image => input.keep.has(image.digest)).flatMap(image => image.layers));
  return {
    images: input.images.map(image => image.digest).filter(digest => !input.keep.has(digest)),
    layers: input.layers.filter(layer => !needed.has(layer)),
  };
}
