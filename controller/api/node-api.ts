/** What an operator wishes of Nodes. */
import { ClusterError } from '#model/errors.ts';
import type { NodeId } from '#model/ids.ts';
import { isLabel } from '#model/ids.ts';
import type { Availability, Node } from '#model/node.ts';
import type { ControlHandlers, Peer } from '#model/ports.ts';
import type { RemovedNode } from '#model/records.ts';
import type { PlannedEvent } from '../reconcile/plan.ts';
import { encodeNode, encodeRemovedNode } from '../store/records.ts';
import { buildKey } from '../store/keys.ts';
import type { Operation } from '../store/ports.ts';
import { requireRole } from './access.ts';
import { labelNameProblem, labelValueProblem } from './node-label-rules.ts';
import { removalAtMs } from './instance-rules.ts';
import { readRemoved } from './registration-flow.ts';
import type { LostNodesLoop } from './lost-nodes-loop.ts';
import { removalObstacle } from './removal-obstacle.ts';
import type { EventSink } from './ports.ts';
import type { ServiceApiParts } from './service-api.ts';
import { writeOnce } from './write-once-flow.ts';
import type { Write, WriteDraft } from './write-once-flow.ts';

type NodeHandlers = Pick<ControlHandlers, 'setAvailability' | 'setLabels' | 'setTaints' | 'confirmLost' | 'removeNode'>;

/** Labels that the cluster writes itself. */
const OWN_LABELS: readonly string[] = ['node', 'arch', 'os'];

export interface NodeApiParts extends ServiceApiParts {
  readonly events: EventSink;
  readonly lostNodes: Pick<LostNodesLoop, 'lostForMs'>;
}

export function createNodeApi(parts: NodeApiParts): NodeHandlers {
  const change = async (write: Extract<Write, { readonly request: { readonly node: NodeId } }>, next: (node: Node) => Node): Promise<void> => {
    await writeOnce(write, parts, () => changeNode(write.request.node, parts, next), parts.signal);
  };
  return {
    async setAvailability(request, peer) {
      requireRole(peer, 'operator');
      let before: Availability | undefined;
      await change({ rpc: 'setAvailability', request }, node => {
        before = node.availability;
        return { ...node, availability: request.availability };
      });
      // Repeated, the request changed nothing.
      if (before !== undefined && before !== request.availability) parts.events.record([availabilityEvent(request, before, peer)]);
    },
    async setLabels(request, peer) {
      requireRole(peer, 'operator');
      requireOperatorLabels([...request.set.keys(), ...request.remove]);
      requireNone([...request.set].map(([name, value]) => labelValueProblem(name, value)));
      await change({ rpc: 'setLabels', request }, node => {
        const labels = new Map([...node.labels, ...request.set]);
        request.remove.forEach(name => labels.delete(name));
        return { ...node, labels };
      });
    },
    async setTaints(request, peer) {
      requireRole(peer, 'operator');
      const bad = request.taints.find(taint => !isLabel(taint));
      if (bad !== undefined) {
        throw new ClusterError('INVALID_ARGUMENT', `taint ${JSON.stringify(bad)} is not an RFC 1123 label`);
      }
      await change({ rpc: 'setTaints', request }, node => ({ ...node, taints: [...new Set(request.taints)].sort() }));
    },
    async confirmLost(request, peer) {
      requireRole(peer, 'operator');
      await change({ rpc: 'confirmLost', request }, node => {
        if (node.condition === 'ready') {
          throw new ClusterError('FAILED_PRECONDITION', `node ${node.id} is ready: its agent answers; it cannot be confirmed lost`);
        }
        return { ...node, isLossConfirmed: true };
      });
    },
    async removeNode(request, peer) {
      requireRole(peer, 'operator');
      const { removed } = await readRemoved(request.node, parts.store, parts.signal);
      const removedAtMs = removalAtMs(removed, parts.clock.nowMs());
      await writeOnce({ rpc: 'removeNode', request }, parts, () => draftRemove({ node: request.node, removedAtMs }, parts), parts.signal);
    },
  };
}

const AVAILABILITY_REASONS: Readonly<Record<Availability, string>> = { active: 'Uncordoned', cordoned: 'Cordoned', draining: 'Draining' };

function availabilityEvent({ node, availability }: { readonly node: NodeId; readonly availability: Availability }, before: Availability, peer: Peer): PlannedEvent {
  return {
    type: 'normal', object: `node/${node}`, reason: AVAILABILITY_REASONS[availability],
    message: `${peer.role} ${peer.name} (${peer.address}) made it ${availability}; it was ${before}`,
  };
}

function requireOperatorLabels(names: readonly string[]): void {
  const own = names.find(name => OWN_LABELS.includes(name));
  if (own !== undefined) {
    throw new ClusterError('INVALID_ARGUMENT', `label ${own} belongs to the cluster; choose another name`);
  }
  requireNone(names.map(labelNameProblem));
}

function requireNone(problems: readonly (string | undefined)[]): void {
  const problem = problems.find(one => one !== undefined);
  if (problem !== undefined) {
    throw new ClusterError('INVALID_ARGUMENT', problem);
  }
}

function changeNode(id: NodeId, parts: ServiceApiParts, next: (node: Node) => Node): WriteDraft {
  const record = requireKnown(id, parts);
  const key = buildKey({ kind: 'node', id });
  return {
    compares: [{ kind: 'mod-revision', key, revision: record.modRevision }],
    operations: [{ kind: 'put', key, value: encodeNode(next(record.value)) }],
    outcome: { kind: 'done' },
  };
}

function draftRemove(removed: RemovedNode, parts: NodeApiParts): WriteDraft {
  const { node: id } = removed;
  const record = requireKnown(id, parts);
  const obstacle = removalObstacle(record.value, parts.state.current, parts.lostNodes);
  if (obstacle !== undefined) {
    throw new ClusterError('FAILED_PRECONDITION', obstacle);
  }
  return {
    compares: [{ kind: 'mod-revision', key: buildKey({ kind: 'node', id }), revision: record.modRevision }],
    operations: removeOperations(removed),
    outcome: { kind: 'done' },
  };
}

/** Deletes the node's records and revokes its certificates. */
export function removeOperations(removed: RemovedNode): readonly Operation[] {
  const { node: id } = removed;
  return [
    { kind: 'delete', key: buildKey({ kind: 'node', id }) },
    { kind: 'delete', key: buildKey({ kind: 'session', id }) },
    { kind: 'delete', key: buildKey({ kind: 'ledger', id }) },
    { kind: 'put', key: buildKey({ kind: 'removed-node', id }), value: encodeRemovedNode(removed) },
  ];
}

function requireKnown(id: NodeId, parts: ServiceApiParts): { readonly value: Node; readonly modRevision: number } {
  const record = parts.state.current.nodes.get(id);
  if (record === undefined) {
    throw new ClusterError('NOT_FOUND', `node ${id} does not exist; see clusterctl node ls`);
  }
  return record;
}
