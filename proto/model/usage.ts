/** What one task used, as its agent saw it at one moment. News only: nothing depends on it. */
import type { NodeId, TaskId } from './ids.ts';

export interface UsageSample {
  readonly node: NodeId;
  readonly task: TaskId;
  readonly atMs: number;
  readonly cpuMicroseconds: number;
  readonly memoryBytes: number;
  /** 0: no limit. */
  readonly memoryLimitBytes: number;
  readonly processes: number;
  readonly networkReceiveBytes: number;
  readonly networkTransmitBytes: number;
  /** From and to disks, as far as the kernel counts it for the control group. */
  readonly ioReadBytes: number;
  readonly ioWriteBytes: number;
  /** Bytes on disk of what its containers wrote into their root file systems; absent where nobody asked. */
  readonly writableBytes?: number;
}

/** The newest that a controller heard of a task. */
export interface TaskUsage {
  readonly sample: UsageSample;
  /** Between the sample before and this one; absent where that is not known. */
  readonly milliCpu?: number;
}

/** What a controller heard lately. */
export interface ClusterUsage {
  /** NATS carries the samples: without it there are soon none. */
  readonly isNatsConnected: boolean;
  readonly tasks: readonly TaskUsage[];
}
