import type { HealthCheck } from '#model/service.ts';

export interface ProbeTarget {
  readonly containerId: string;
  readonly networkNamespacePath: string;
  readonly address: string;
  readonly check: HealthCheck;
  readonly startedAtMs: number;
}

export interface HealthVerdict {
  readonly health: 'starting' | 'healthy' | 'unhealthy';
  /** Failure of the last probe, one line; empty if it succeeded. */
  readonly message: string;
}

/** Probes one container until `signal` aborts; yields each change of its verdict. */
export interface HealthProber {
  watch(target: ProbeTarget, signal: AbortSignal): AsyncIterable<HealthVerdict>;
}
