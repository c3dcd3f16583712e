/** What one task uses now -> the sample that leaves the node. */
import type { NodeId } from '#model/ids.ts';
import type { UsageSample } from '#model/usage.ts';
import type { TaskUsage } from './metrics.ts';

/** A task without a link yet has received and sent nothing. */
export function sampleOf({ task, link, ...usage }: TaskUsage, node: NodeId, atMs: number): UsageSample {
  const { cpuMicroseconds, memoryBytes, memoryLimitBytes, processes, ioReadBytes, ioWriteBytes } = usage;
  return {
    node, task: task.id, atMs, cpuMicroseconds, memoryBytes, memoryLimitBytes, processes, ioReadBytes, ioWriteBytes,
    networkReceiveBytes: link?.receivedBytes ?? 0, networkTransmitBytes: link?.sentBytes ?? 0,
  };
}
