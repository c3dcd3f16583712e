/** Plans kept for `apply --plan`. */
import type { AppSpec } from '#model/app.ts';
import { ClusterError } from '#model/errors.ts';
import { taskIdFromBytes } from '#model/ids.ts';
import { planRecord, stalePlanReason } from '../reconcile/plan-record.ts';
import { decodePlanRecord, encodePlanRecord } from '../store/records.ts';
import { buildKey } from '../store/keys.ts';
import type { WriteParts } from './write-once-flow.ts';

export interface SavedPlanParts extends WriteParts {
  readonly signal: AbortSignal;
}

const PLAN_ID = /^[a-z2-7]{12}$/;

/** Made from the current snapshot, before the first await. Answers the plan's id. */
export async function savePlan(apps: readonly AppSpec[], random: Uint8Array, parts: SavedPlanParts): Promise<string> {
  const id: string = taskIdFromBytes(random);
  const record = planRecord({ id, snapshot: parts.state.current, apps, nowMs: parts.clock.nowMs() });
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
