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
}
