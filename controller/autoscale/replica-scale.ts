/** Replicas that `scale` or autoscaling set, and which of them a rollback keeps. */
import type { Service, ServiceStatus } from '#model/app.ts';
import type { ServiceSpec } from '#model/service.ts';
import { replicasInForce, withinLimits } from './replicas-in-force.ts';

/** For the Service's next Revision. What autoscaling set is read where the Revision has settled: later Revisions may have other limits. */
export function keptScale(current: Service | undefined, status: ServiceStatus | undefined): Pick<Service, 'scale'> {
  if (current === undefined || current.isDeleting) {
    return {};
  }
  const { spec, revision, scale } = current;
  if (spec.autoscale !== undefined && status?.autoscale !== undefined && status.settledRevision === revision) {
    return { scale: { replicas: replicasInForce(spec, status), revision } };
  }
  return scale === undefined ? {} : { scale };
}

/** Replicas that were set while the Service was at `settledRevision` or later; undefined: those of the Revision are in force. */
export function scaleSince({ scale }: Pick<Service, 'scale'>, settledRevision: number): number | undefined {
  return scale !== undefined && scale.revision >= settledRevision ? scale.replicas : undefined;
}

/** Replicas that an undo to the Revision `number` keeps: those in force; where it leaves a rollout that has not settled, those that were set before or during it. */
export function replicasKeptByUndo(now: Service, status: ServiceStatus | undefined, { number, spec }: UndoneSpec): number {
  if (spec.autoscale !== undefined && now.spec.autoscale !== undefined) {
    return now.spec.replicas;
  }
  const settledRevision = status?.settledRevision ?? 0;
  const isLeft = settledRevision !== now.revision && number < now.revision;
  return (isLeft ? scaleSince(now, settledRevision) : undefined) ?? replicasInForce(now.spec, status);
}

export interface UndoneSpec {
  /** Of the Revision. */
  readonly number: number;
  readonly spec: ServiceSpec;
}

/** For the status of a Service that is rolled back to `before`: autoscaling continues from the number that it had there, or from a later higher one. */
export function autoscaleOnceRolledBack(before: Service, status: ServiceStatus, nowMs: number): Pick<ServiceStatus, 'autoscale'> {
  const kept = Math.max(status.autoscale?.replicas ?? 0, scaleSince(before, before.revision) ?? 0);
  if (before.spec.autoscale === undefined || kept === 0) {
    return {};
  }
  const known = status.autoscale ?? { changedAtMs: nowMs, reason: `as before the rollback to revision ${String(before.revision)}`, wishes: [] };
  return { autoscale: { ...known, replicas: withinLimits(kept, before.spec.autoscale) } };
}

/** `spec` with these replicas, where its kind has a number of them that is its own. */
export function withReplicas(spec: ServiceSpec, replicas: number | undefined): ServiceSpec {
  return replicas === undefined || (spec.kind !== 'service' && spec.kind !== 'stateful') ? spec : { ...spec, replicas };
}
