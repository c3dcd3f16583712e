/**
 * Limits the total size of an image: each layer has limits of its own, and an image has up to 127
 * layers.
 */

export const MAX_IMAGE_BYTES = 64 * 2 ** 30;
export const MAX_IMAGE_ENTRIES = 2_000_000;

/** Returns the limit that the layers unpacked so far exceed; undefined if none. */
export function imageTooLarge(layers: readonly { readonly fileBytes: number; readonly entries: number }[]): string | undefined {
  const bytes = layers.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  const entries = layers.reduce((sum, layer) => sum + layer.entries, 0);
  if (bytes > MAX_IMAGE_BYTES) {
    return `image of more than ${String(MAX_IMAGE_BYTES)} bytes unpacked; an image has ${String(MAX_IMAGE_BYTES)} at most`;
  }
  return entries > MAX_IMAGE_ENTRIES ? `image of more than ${String(MAX_IMAGE_ENTRIES)} entries; an image has ${String(MAX_IMAGE_ENTRIES)} at most` : undefined;
}
