/** What was measured of a service, for each of the measures that it scales by. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { requestsOf } from '#model/companion.ts';
import type { ServiceId, TaskId } from '#model/ids.ts';
import type { AutoscaleSpec } from '#model/service.ts';
import { isLive, isServing, rowsOf } from '../reconcile/task-row.ts';
import type { TaskRow } from '../reconcile/task-row.ts';
import type { QueryAnswer } from './ports.ts';
import type { Reading } from './replicas-decision.ts';

/** What a task uses; thousandths of a core are absent until they are known. */
export interface TaskUse {
  readonly milliCpu?: number;
  readonly memoryBytes: number;
}

export interface Measured {
  /** Why there is no usage at all. Absent: `use` is what there is. */
  readonly usageProblem?: string;
  readonly use: ReadonlyMap<TaskId, TaskUse>;
  /** Absent where the service has no metric. */
  readonly answer?: QueryAnswer;
  /** Unix ms. */
  readonly nowMs: number;
}

/** What a program does when it starts says nothing of its load. Source: Kubernetes, `--horizontal-pod-autoscaler-initial-readiness-delay` */
const WARM_UP_MS = 30_000;

/** In the order cpu, memory, metric. Of a service of which nothing runs, the metric alone. */
export function readMeasures(snapshot: ClusterSnapshot, { id, spec }: { readonly id: ServiceId; readonly spec: AutoscaleSpec }, measured: Measured): readonly Reading[] {
  const rows = rowsOf(snapshot, id).filter(isLive);
  const shares = rows.length === 0 ? [] : [
    ...(spec.cpuPercent === undefined ? [] : [readUse(rows, { name: 'cpu', targetPercent: spec.cpuPercent }, measured)]),
    ...(spec.memoryPercent === undefined ? [] : [readUse(rows, { name: 'memory', targetPercent: spec.memoryPercent }, measured)]),
  ];
  return [...shares, ...(spec.metric === undefined ? [] : [readMetric(spec.metric.target, measured.answer)])];
}

function readMetric(target: number, answer: QueryAnswer | undefined): Reading {
  if (answer?.kind === 'value') {
    return { kind: 'metric', target, value: answer.value };
  }
  return { kind: 'missing', problem: `the metric is not known: ${answer?.message ?? 'it was not asked for yet'}` };
}

type Share = Pick<Extract<Reading, { readonly kind: 'use' }>, 'name' | 'targetPercent'>;

function readUse(rows: readonly TaskRow[], share: Share, { use, usageProblem, nowMs }: Measured): Reading {
  const ready = rows.filter(row => isServing(row) && nowMs - (row.status?.startedAtMs ?? nowMs) >= WARM_UP_MS);
  const percents = ready.flatMap(row => percentOf(row, share.name, use.get(row.task.id)) ?? []);
  if (usageProblem !== undefined || (percents.length === 0 && ready.length > 0)) {
    return { kind: 'missing', problem: `its ${share.name} is not known: ${usageProblem ?? 'no agent reports what its tasks use'}` };
  }
  return { kind: 'use', ...share, percents, unknownCount: ready.length - percents.length, unreadyCount: rows.length - ready.length };
}

function percentOf({ task }: TaskRow, name: Share['name'], use: TaskUse | undefined): number | undefined {
  const requests = requestsOf(task);
  const [used, requested] = name === 'cpu' ? [use?.milliCpu, requests.milliCpu] : [use?.memoryBytes, requests.memoryBytes];
  return used === undefined || requested <= 0 ? undefined : (used / requested) * 100;
}
