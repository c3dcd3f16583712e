/** Counts the progress of the layers of one pull. */
import type { Digest } from '#model/digest.ts';
import type { LayerProgress } from '#model/node-images.ts';

/** Reports after each change; bytes beyond the size of a layer do not count. */
export class LayerCounter {
  readonly #layers: LayerProgress[];
  readonly #report: (layers: readonly LayerProgress[]) => void;

  /** @param layers  lowest first */
  constructor(layers: readonly { readonly digest: Digest; readonly sizeBytes: number }[], report: (layers: readonly LayerProgress[]) => void) {
    this.#layers = layers.map(({ digest, sizeBytes }) => ({ digest, sizeBytes, doneBytes: 0, isComplete: false }));
    this.#report = report;
    report(this.#layers);
  }

  add(index: number, bytes: number): void {
    this.#change(index, layer => ({ ...layer, doneBytes: Math.min(layer.sizeBytes, layer.doneBytes + bytes) }));
  }

  complete(index: number): void {
    this.#change(index, layer => ({ ...layer, doneBytes: layer.sizeBytes, isComplete: true }));
  }

  #change(index: number, next: (layer: LayerProgress) => LayerProgress): void {
    const layer = this.#layers[index];
    if (layer === undefined) throw new RangeError(`no layer ${String(index)}`);
    this.#layers[index] = next(layer);
    this.#report(this.#layers);
  }
}
