/** On which rows images are, or are coming: those of tasks that are to stay there. What agents fetched and say of it would make a plan hang on how fast they are. */
import { containersOf } from '#model/companion.ts';
import type { ContainerSet } from '#model/companion.ts';

/** Of images whose digest is known, each once. */
export function digestsOf(set: ContainerSet): readonly string[] {
  const { digest } = set.container;
  if (set.companions === undefined) {
    return digest === undefined ? NO_DIGESTS : [digest];
  }
  return [...new Set(containersOf(set).flatMap(container => container.digest ?? []))];
}

const NO_DIGESTS: readonly string[] = [];

export class ImageRows {
  /** Tasks of a row with an image, by its digest; none is 0. */
  readonly #rows = new Map<string, Map<number, number>>();
  readonly #ofRow = new Map<number, Set<string>>();

  add(row: number, digest: string, tasks: number): void {
    const rows = this.#rows.get(digest) ?? new Map<number, number>();
    const left = (rows.get(row) ?? 0) + tasks;
    if (left === 0) {
      rows.delete(row);
    } else {
      rows.set(row, left);
    }
    if (rows.size === 0) {
      this.#rows.delete(digest);
    } else {
      this.#rows.set(digest, rows);
    }
    const known = this.#ofRow.get(row) ?? new Set();
    this.#ofRow.set(row, known.add(digest));
  }

  clearRow(row: number): void {
    for (const digest of this.#ofRow.get(row) ?? []) {
      const rows = this.#rows.get(digest);
      rows?.delete(row);
      if (rows?.size === 0) {
        this.#rows.delete(digest);
      }
    }
    this.#ofRow.delete(row);
  }

  clear(): void {
    this.#rows.clear();
    this.#ofRow.clear();
  }

  /** Some row has it. */
  has(digest: string): boolean {
    return this.#rows.has(digest);
  }

  /** How many of the images each of `size` rows has not; undefined where no row has any. */
  missing(digests: readonly string[], size: number): Uint8Array | undefined {
    if (!digests.some(digest => this.#rows.has(digest))) {
      return undefined;
    }
    const missing = new Uint8Array(size).fill(digests.length);
    for (const digest of digests) {
      for (const [row, tasks] of this.#rows.get(digest) ?? []) {
        missing[row] = (missing[row] ?? 0) - (tasks > 0 ? 1 : 0);
      }
    }
    return missing;
  }
}
