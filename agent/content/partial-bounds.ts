/** Decides which partial downloads are kept. */

export interface PartialFile {
  readonly name: string;
  readonly bytes: number;
  /** Time of the last write, Unix epoch milliseconds. */
  readonly writtenAtMs: number;
}

/** Maximum of all unused partials: as much as a few large layers. */
export const MAX_PARTIAL_BYTES = 4 * 2 ** 30;
/** A pull that was not resumed for a day is considered abandoned. */
export const MAX_PARTIAL_AGE_MS = 24 * 3_600_000;

/**
 * Returns the names to delete: too old ones, then the longest unused ones until the rest is within
 * the bound.
 */
export function partialsToDrop(files: readonly PartialFile[], nowMs: number): readonly string[] {
  const newestFirst = [...files].sort((left, right) => right.writtenAtMs - left.writtenAtMs);
  let keptBytes = 0;
  return newestFirst.flatMap(({ name, bytes, writtenAtMs }) => {
    const isKept = nowMs - writtenAtMs <= MAX_PARTIAL_AGE_MS && keptBytes + bytes <= MAX_PARTIAL_BYTES;
    if (isKept) keptBytes += bytes;
    return isKept ? [] : [name];
  });
}
