/** Plans kept for `apply --plan`. */
import type { AppSpec } from '#model/app.ts';
import { ClusterError } from '#model/errors.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { TASK_ID_BYTES, taskIdFromBytes } from '#model/ids.ts';
import { planRecord, stalePlanReason } from '../reconcile/plan-record.ts';
import { decodePlanRecord, encodePlanRecord } from '../store/records.ts';
import { buildKey } from '../store/keys.ts';
import type { WriteParts } from './write-once-flow.ts';

export interface SavedPlanParts extends WriteParts {
  readonly signal: AbortSignal;
}

interface PlanIdParts {
  readonly randomBytes: (count: number) => Uint8Array;
}

const PLAN_ID = /^[a-z2-7]{12}$/;

/** @param snapshot  what the plan was made from. Answers the plan's id. */
export async function savePlan(apps: readonly AppSpec[], snapshot: ClusterSnapshot, parts: SavedPlanParts & PlanIdParts): Promise<string> {
  const id: string = taskIdFromBytes(parts.randomBytes(TASK_ID_BYTES));
  const record = planRecord({ id, snapshot, apps, nowMs: parts.clock.nowMs() });
  const leaseId = await parts.requestLease.id();
  await parts.store.transact([], [{ kind: 'put', key: buildKey({ kind: 'plan', id }), value: encodePlanRecord(record), leaseId }], parts.signal);
  return id;
}

/** @throws ClusterError NOT_FOUND, or FAILED_PRECONDITION naming what changed since the plan was made */
export async function requirePlan({ app, planId }: { readonly app: AppSpec; readonly planId?: string }, parts: SavedPlanParts): Promise<void> {
  if (planId === undefined) {
    return;
  }
  const entry = PLAN_ID.test(planId) ? await parts.store.get(buildKey({ kind: 'plan', id: planId }), parts.signal) : undefined;
  if (entry === undefined) {
    throw new ClusterError('NOT_FOUND', `no plan ${JSON.stringify(planId.slice(0, 64))} is kept; make one with: clusterctl plan -f FILE --save`);
  }
  const reason = stalePlanReason(decodePlanRecord(entry.value), app, parts.state.current, parts.clock.nowMs());
  if (reason !== undefined) {
    throw new ClusterError('FAILED_PRECONDITION', reason);
  }
}
