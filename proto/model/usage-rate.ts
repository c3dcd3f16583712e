import type { UsageSample } from './usage.ts';

/** Thousandths of a core between two samples; undefined after the first sample, a restart of the task or a jump of the node's clock. */
export function milliCpuBetween(earlier: UsageSample | undefined, later: UsageSample): number | undefined {
  if (earlier === undefined || earlier.node !== later.node) {
    return undefined;
  }
  const passedMs = later.atMs - earlier.atMs;
  const usedMicroseconds = later.cpuMicroseconds - earlier.cpuMicroseconds;
  return passedMs > 0 && usedMicroseconds >= 0 ? Math.round(usedMicroseconds / passedMs) : undefined;
}
