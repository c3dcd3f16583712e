/** The next number of replicas of one service, as an action on its status. */
import type { AutoscaleStatus, Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { ServiceId } from '#model/ids.ts';
import { isSameJson } from '#model/same-json.ts';
import { EMPTY_PLAN } from '../reconcile/plan.ts';
import type { Plan, PlannedEvent } from '../reconcile/plan.ts';
import { readMeasures } from './readings.ts';
import type { Measured } from './readings.ts';
import { replicasInForce } from './replicas-in-force.ts';
import { decideReplicas } from './replicas-decision.ts';
import type { ReplicasDecision } from './replicas-decision.ts';

/** Services that scale, in the order of their ids. */
export function scaledServices(snapshot: ClusterSnapshot): readonly Service[] {
  return [...snapshot.services.values()].map(entry => entry.value).filter(service => service.spec.autoscale !== undefined && !service.isDeleting)
    .sort((left, right) => (left.id < right.id ? -1 : 1));
}

/** Nothing to do in a steady state: what is wanted of each look is remembered only once it is another number. */
export function planAutoscale(snapshot: ClusterSnapshot, id: ServiceId, measured: Measured): Plan {
  const service = snapshot.services.get(id)?.value;
  const status = snapshot.serviceStatuses.get(id)?.value;
  const spec = service?.spec.autoscale;
  // Its first plan makes the status.
  if (service === undefined || status === undefined || spec === undefined || service.isDeleting) {
    return EMPTY_PLAN;
  }
  const { nowMs } = measured;
  const current = replicasInForce(service.spec, status);
  const decision = decideReplicas({ spec, current, readings: readMeasures(snapshot, { id, spec }, measured), wishes: status.autoscale?.wishes ?? [], nowMs });
  const next = nextAutoscale(status.autoscale, decision, { current, nowMs });
  if (isSameJson(status.autoscale, next)) {
    return EMPTY_PLAN;
  }
  return { actions: [{ kind: 'set-service-status', status: { ...status, autoscale: next } }], events: eventsOf(id, { current, before: status.autoscale }, next) };
}

function nextAutoscale(before: AutoscaleStatus | undefined, decision: ReplicasDecision, { current, nowMs }: { readonly current: number; readonly nowMs: number }): AutoscaleStatus {
  const { replicas, reason, wishes, problem } = decision;
  const rest = { replicas, wishes, ...(problem === undefined ? {} : { problem }) };
  if (replicas !== current) {
    return { ...rest, changedAtMs: nowMs, reason };
  }
  if (before?.replicas !== replicas) {
    return { ...rest, changedAtMs: nowMs, reason: 'as its manifest says' };
  }
  return { ...rest, changedAtMs: before.changedAtMs, reason: before.reason };
}

function eventsOf(id: ServiceId, { current, before }: { readonly current: number; readonly before: AutoscaleStatus | undefined }, next: AutoscaleStatus): readonly PlannedEvent[] {
  const object = `service/${id}`;
  const { replicas, reason, problem } = next;
  return [
    ...(replicas === current ? [] : [{ type: 'normal', object, reason: 'Scaled', message: `from ${String(current)} to ${String(replicas)} replicas: ${reason}` } as const]),
    ...(problem === undefined || problem === before?.problem ? [] : [{ type: 'warning', object, reason: 'AutoscaleBlind', message: `${problem}; until it is, it is not scaled down` } as const]),
  ];
}
