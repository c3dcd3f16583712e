import type { Revision } from '#model/app.ts';
import type { AppId, NodeId } from '#model/ids.ts';
import type { Times } from '#model/times.ts';
import type { NodeTable } from '../schedule/node-table.ts';

/** What a plan needs beside the snapshot. */
export interface PlanContext {
  /** Unix ms of the leader's wall clock: for back-off, monitoring and retention, never for liveness. */
  readonly nowMs: number;
  readonly clusterId: string;
  readonly times: Times;
  /** How long the leader itself has counted the node as away, on its monotonic clock, beyond the first LOST of its silence. */
  readonly awayForMs: (node: NodeId) => number;
  /** The stored Revision, where it is known. */
  readonly revisionOf: (app: AppId, number: number) => Revision | undefined;
  /** Unix ms since when the leader's wall clock goes on evenly: what was counted before says nothing of a deadline. Absent: always. */
  readonly steadySinceMs?: number;
  /** Absent: rollouts fail at their deadlines. On paper they may take as long as they like: a plan says where tasks go, and what fits nowhere. */
  readonly ignoresDeadlines?: boolean;
  /** Of the snapshot that is planned on, where one is kept; the plan leaves it as it was. Absent: each placing makes its own, which says the same. */
  readonly table?: () => NodeTable;
}
