/** Which slots a service wants now. */
import { matches } from '#model/constraint.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Node } from '#model/node.ts';
import type { ServiceSpec } from '#model/service.ts';
import { replicasInForce } from '../autoscale/replicas-in-force.ts';
import { jobDone } from './job-status.ts';
import type { WantedSlot } from './slot-plan.ts';
import { isLive, isUpToDate } from './task-row.ts';
import type { ServiceState } from './task-row.ts';

/**
 * 0 to replicas - 1; none for a cron, whose runs are services of their own; of a job only what was not done before; for `global` one slot a node, numbered by the node's subnet, which it keeps for ever. A node that has its
 * task keeps it until it is drained, or an update comes that is not for the node; one that has none must be ready for it.
 */
export function wantedSlots(snapshot: ClusterSnapshot, state: ServiceState): readonly WantedSlot[] {
  const { spec } = state.service;
  if (spec.kind === 'cron') {
    return [];
  }
  if (spec.kind !== 'global') {
    return Array.from({ length: replicasInForce(spec, state.status) }, (_, slot) => ({ slot })).slice(doneSlots(state));
  }
  const live = state.rows.filter(isLive);
  const occupied = new Set(live.map(row => row.task.node));
  const kept = new Set(live.filter(row => isUpToDate(row, state.service)).map(row => row.task.node));
  return [...snapshot.nodes.values()].map(entry => entry.value)
    .filter(node => node.availability !== 'draining' && (kept.has(node.id) || (isAllowed(node, spec) && (occupied.has(node.id) || isReady(node)))))
    .map(node => ({ slot: node.subnetIndex, node: node.id }))
    .sort((left, right) => left.slot - right.slot);
}

/** The slots below are done for ever: those of a job that ended well, as long as its template is the same. */
export function doneSlots({ service, status }: ServiceState): number {
  return service.spec.kind === 'job' ? jobDone(service, status)?.completions ?? 0 : 0;
}

function isReady({ availability, condition, networkFault }: Node): boolean {
  return availability === 'active' && condition === 'ready' && networkFault === '';
}

function isAllowed(node: Node, { placement, container }: ServiceSpec): boolean {
  return node.taints.every(taint => placement.tolerate.includes(taint))
    && placement.require.every(rule => matches(rule, node.labels))
    && node.runtimes.includes(container.runtime);
}
