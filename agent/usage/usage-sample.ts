import type { NodeId, TaskId } from '#model/ids.ts';
import type { UsageSample } from '#model/usage.ts';
import type { ContainerUsage } from '../runtime/ports.ts';

/** Whose usage it is. */
export interface UsageOwner {
  readonly node: NodeId;
  readonly task: TaskId;
}

/** What a container uses at `atMs`, as news. A limit above the machine's memory is no limit: 0. */
export function usageSample(owner: UsageOwner, usage: ContainerUsage, atMs: number, machineMemoryBytes: number): UsageSample {
  const { cpuMicroseconds, memoryBytes, memoryLimitBytes, processes } = usage;
  return { ...owner, atMs, cpuMicroseconds, memoryBytes, memoryLimitBytes: memoryLimitBytes > machineMemoryBytes ? 0 : memoryLimitBytes, processes };
}

/** Cores in use between two samples of one task; undefined when they say nothing (other attempt, same moment). */
export function coresBetween(earlier: UsageSample, later: UsageSample): number | undefined {
  const wallMs = later.atMs - earlier.atMs;
  const cpuMicroseconds = later.cpuMicroseconds - earlier.cpuMicroseconds;
  return wallMs <= 0 || cpuMicroseconds < 0 ? undefined : cpuMicroseconds / (wallMs * 1000);
}
