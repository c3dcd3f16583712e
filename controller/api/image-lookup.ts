/** What is said of an image that was not found, or whose registry does not answer. */
import { ClusterError } from '#model/errors.ts';
import { formatImageName } from '#model/image-reference.ts';
import type { ImageReference } from '#model/image-reference.ts';
import { quoted } from '#model/printable.ts';

export interface ImageLookup {
  /** As a person wrote it. */
  readonly written: string;
  readonly parsed: ImageReference;
  /** With the default registry, where `parsed` names none. */
  readonly reference: ImageReference;
}

/** The error with where the image was looked for, and what to write instead, where that was not written. */
export function explainLookup(error: ClusterError, { written, parsed, reference }: ImageLookup): ClusterError {
  return parsed.registry !== undefined ? error
    : new ClusterError(error.code, `${error.message}; ${quoted(written)} names no registry, so ${formatImageName(reference)} was tried: push it there, or write the registry in front of it, as in registry.example:5000/${written}`, { cause: error });
}
