/** The records that a registration makes, as they are to be written. */
import { SUBNET_COUNT } from '#model/addressing.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { ClusterError } from '#model/errors.ts';
import type { Node, SessionRecord } from '#model/node.ts';
import type { NodeWishes, RemovedNode } from '#model/records.ts';
import type { Registration } from '#model/session.ts';
import { encodeNode } from '../store/records.ts';
import { boundedCapabilities, healthOf } from './node-health.ts';

/** The Node as it is after the registration: the agent's facts are new, the operator's wishes stay. */
export function nodeRecord(registration: Registration, current: (NodeWishes & Partial<Node>) | undefined, fresh: { readonly subnetIndex: number; readonly nowMs: number }): Node {
  const labels = new Map([...(current?.labels ?? []), ...registration.labels]);
  labels.set('node', registration.node).set('arch', registration.architecture).set('os', 'linux');
  return {
    id: registration.node,
    availability: current?.availability ?? 'active',
    labels,
    taints: current?.taints ?? [],
    subnetIndex: fresh.subnetIndex,
    address: registration.address,
    capacity: registration.capacity,
    pids: registration.pids,
    runtimes: registration.runtimes,
    policy: registration.policy,
    cpus: registration.cpus,
    ...pageSizesOf(registration),
    agentVersion: registration.agentVersion,
    metricsAddress: registration.metricsAddress,
    snapshotter: registration.snapshotter,
    ...healthOf(registration),
    capabilities: boundedCapabilities(registration.capabilities),
    condition: 'ready',
    conditionSinceMs: (current?.condition === 'ready' ? current.conditionSinceMs : undefined) ?? fresh.nowMs,
    isLossConfirmed: false,
    createdAtMs: current?.createdAtMs ?? fresh.nowMs,
  };
}

function pageSizesOf({ hugepageSizes }: Registration): Pick<Node, 'hugepageSizes'> {
  return hugepageSizes === undefined ? {} : { hugepageSizes };
}

/** Far above what a machine has to say, and below what a transaction takes. */
const MAX_REGISTRATION_BYTES = 65_536;

/** Labels of earlier registrations count too. @throws ClusterError INVALID_ARGUMENT when the records would be too large */
export function requireStorable(registration: Registration, nodes: ClusterSnapshot['nodes'], removed: RemovedNode | undefined): void {
  const current = nodes.get(registration.node)?.value ?? removed?.replaced;
  const bytes = encodeNode(nodeRecord(registration, current, { subnetIndex: 0, nowMs: 0 })).length + Buffer.byteLength(registration.nextNonce);
  if (bytes > MAX_REGISTRATION_BYTES) {
    throw new ClusterError('INVALID_ARGUMENT', `node ${registration.node}: its registration makes records of ${String(bytes)} bytes, at most ${String(MAX_REGISTRATION_BYTES)} are stored; shorten its labels, its devices or the paths that tasks may bind`);
  }
}

/** The session of the node's agent, held by `controllerId`. */
export function sessionRecord(registration: Registration, held: { readonly sessionId: string; readonly controllerId: string; readonly nowMs: number }): SessionRecord {
  return { node: registration.node, sessionId: held.sessionId, controllerId: held.controllerId, openedAtMs: held.nowMs, instanceNonce: registration.nextNonce };
}

/** The lowest subnets that no node has, at most `count` of them. @throws ClusterError UNAVAILABLE while it is not known which subnet a Node has that cannot be read */
export function freeSubnets(snapshot: ClusterSnapshot, count: number): readonly number[] {
  const unknown = [...snapshot.unreadableNodes].find(([, { subnetIndex }]) => subnetIndex === undefined);
  if (unknown !== undefined) {
    throw new ClusterError('UNAVAILABLE', `the record of node ${unknown[0]} cannot be read: no subnet is given until it can, or is gone`);
  }
  const taken = new Set([...[...snapshot.nodes.values()].map(node => node.value), ...snapshot.unreadableNodes.values()].map(node => node.subnetIndex));
  const free: number[] = [];
  for (let index = 0; index < SUBNET_COUNT && free.length < count; index += 1) {
    if (!taken.has(index)) {
      free.push(index);
    }
  }
  return free;
}
