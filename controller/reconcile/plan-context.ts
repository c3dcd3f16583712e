import type { Revision } from '#model/app.ts';
import type { AppId } from '#model/ids.ts';
import type { Times } from '#model/times.ts';

/** What a plan needs beside the snapshot. */
export interface PlanContext {
  /** Unix ms of the leader's wall clock: for back-off, monitoring and retention, never for liveness. */
  readonly nowMs: number;
  readonly clusterId: string;
  readonly times: Times;
  /** The stored Revision, where it is known. */
  readonly revisionOf: (app: AppId, number: number) => Revision | undefined;
}
