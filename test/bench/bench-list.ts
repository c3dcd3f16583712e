import type { Bench } from './bench.ts';

/** Every bench by name; only the one that runs is loaded. */
export const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  burst: async () => (await import('./burst.ts')).burstBench,
  cli: async () => (await import('./cli.ts')).cliBench,
  'e2e-latency': async () => (await import('./e2e-latency.ts')).endToEndBench,
  fleet: async () => (await import('./fleet.ts')).fleetBench,
  growth: async () => (await import('./growth.ts')).growthBench,
  memory: async () => (await import('./memory.ts')).memoryBench,
  pull: async () => (await import('./pull.ts')).pullBench,
  scale: async () => (await import('./scale.ts')).scaleBench,
  schedule: async () => (await import('./schedule.ts')).scheduleBench,
  sessions: async () => (await import('./sessions.ts')).sessionsBench,
  soak: async () => (await import('./soak.ts')).soakBench,
  start: async () => (await import('./start.ts')).startBench,
};
