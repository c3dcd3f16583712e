/** Formats one line about a running pull, for the status of a task. */
import type { LayerProgress } from '#model/node-images.ts';

/**
 * Returns the percentage of compressed bytes received, rounded down; 0 before anything is known.
 */
export function percentOf(layers: readonly LayerProgress[]): number {
  const total = layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
  const done = layers.reduce((sum, layer) => sum + layer.doneBytes, 0);
  return total === 0 ? 0 : Math.floor(done * 100 / total);
}

/** Formats as `pulling 43 % of 180 MiB`. */
export function pullMessage(layers: readonly LayerProgress[]): string {
  const total = layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
  return `pulling ${String(percentOf(layers))} % of ${String(Math.max(1, Math.round(total / 2 ** 20)))} MiB`;
}
