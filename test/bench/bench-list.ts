import type { Bench } from './bench.ts';

/** Every bench by name; only the one that runs is loaded. */
export const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  start: async () => (await import('./start.ts')).startBench,
};
