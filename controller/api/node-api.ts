/** What an operator wishes of Nodes. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { ClusterError } from '#model/errors.ts';
import { leastReplaceAfterMs } from '#model/exclusive.ts';
import type { NodeId } from '#model/ids.ts';
import { isLabel } from '#model/ids.ts';
import type { Availability, Node } from '#model/node.ts';
import type { ControlHandlers, Peer } from '#model/ports.ts';
import { isFinished } from '#model/task.ts';
import type { Task } from '#model/task.ts';
import { volumeName, volumeNames } from '#model/volume.ts';
import type { PlannedEvent } from '../reconcile/plan.ts';
import { isDataGone } from '../schedule/volume-homes.ts';
import { encodeNode, encodeRemovedNode } from '../store/records.ts';
import { buildKey } from '../store/keys.ts';
import { requireRole } from './access.ts';
import { labelNameProblem, labelValueProblem } from './node-label-rules.ts';
import type { LostNodesLoop } from './lost-nodes-loop.ts';
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
      await writeOnce({ rpc: 'removeNode', request }, parts, () => draftRemove(request.node, parts), parts.signal);
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

function draftRemove(id: NodeId, parts: NodeApiParts): WriteDraft {
  const record = requireKnown(id, parts);
  const obstacle = removalObstacle(record.value, parts.state.current, parts.lostNodes);
  if (obstacle !== undefined) {
    throw new ClusterError('FAILED_PRECONDITION', obstacle);
  }
  const key = buildKey({ kind: 'node', id });
  return {
    compares: [{ kind: 'mod-revision', key, revision: record.modRevision }],
    operations: [
      { kind: 'delete', key },
      { kind: 'delete', key: buildKey({ kind: 'session', id }) },
      { kind: 'delete', key: buildKey({ kind: 'ledger', id }) },
      { kind: 'put', key: buildKey({ kind: 'removed-node', id }), value: encodeRemovedNode({ node: id, removedAtMs: parts.clock.nowMs() }) },
    ],
    outcome: { kind: 'done' },
  };
}

/**
 * Tasks that have not ended keep a node that is not lost, and so does the data of volumes: it would go with the node. That of global services is each node's own. From a lost
 * node those of its slots are free at once; exclusive tasks keep it until they have stopped by themselves for sure, or until the operator confirms the loss.
 */
function removalObstacle(node: Node, snapshot: ClusterSnapshot, lostNodes: NodeApiParts['lostNodes']): string | undefined {
  const { id, condition } = node;
  const { tasksOnNode, tasks, statuses } = snapshot;
  const here = [...(tasksOnNode.get(id) ?? [])].sort().flatMap(task => tasks.get(task)?.value ?? []);
  const left = here.filter(task => !isFinished(statuses.get(task.id)?.value.phase ?? 'pending'));
  if (condition === 'lost') {
    return node.isLossConfirmed ? undefined : untilStopped(node, left, lostNodes.lostForMs(node));
  }
  const count = `${String(left.length)} ${left.length === 1 ? 'task' : 'tasks'}`;
  const data = dataOn(id, snapshot, here);
  if (condition === 'silent') {
    return left.length === 0 && data === undefined ? undefined
      : `node ${id} is silent and may be back at once: it has ${left.length > 0 ? count : `the data of volume ${String(data)}`}; wait until it is lost, or where it is certain that the machine is off: clusterctl node confirm-lost ${id}, then remove it`;
  }
  if (left.length > 0) {
    return `node ${id} still has ${count}; drain it first: clusterctl node drain ${id}`;
  }
  return data === undefined ? undefined
    : `node ${id} has the data of volume ${data}, and would take it along; delete what uses it and the data: clusterctl volume rm, or stop the node's agent and wait until it is lost to give the data up`;
}

/** Counted from when the node was seen lost: it had been silent before that. Where nothing stops such a task for sure, only the operator knows. */
function untilStopped({ id, hasDeadman }: Node, left: readonly Task[], lostForMs: number): string | undefined {
  const exclusive = hasDeadman ? left.flatMap(({ name, stopAfterMs, container }) => (stopAfterMs === undefined ? [] : [{ name, endsInMs: leastReplaceAfterMs({ stopAfterMs, container }) - lostForMs }])) : [];
  const last = exclusive.toSorted((one, other) => other.endsInMs - one.endsInMs)[0];
  return last === undefined || last.endsInMs <= 0 ? undefined
    : `node ${id} is lost, but exclusive task ${last.name} may run there until its stop_after and stop_grace_period are over; remove the node in ${String(Math.ceil(last.endsInMs / 1_000))} s, `
      + `or where it is certain that the machine is off: clusterctl node confirm-lost ${id}, then remove it`;
}

/** Name of a volume whose only data is there: by its record, or by an ended task that no record tells of yet. */
function dataOn(id: NodeId, snapshot: ClusterSnapshot, tasks: readonly Task[]): string | undefined {
  const recorded = [...snapshot.volumes.values()].map(entry => entry.value).filter(volume => volume.node === id && volume.state === 'present' && !volume.isPerNode);
  const told = tasks.filter(task => task.kind !== 'global').flatMap(task => volumeNames(task, task.slot).filter(volume => !isDataGone(snapshot, task, volume)));
  return [...recorded.map(volumeName), ...told].sort()[0];
}

function requireKnown(id: NodeId, parts: ServiceApiParts): { readonly value: Node; readonly modRevision: number } {
  const record = parts.state.current.nodes.get(id);
  if (record === undefined) {
    throw new ClusterError('NOT_FOUND', `node ${id} does not exist; see clusterctl node ls`);
  }
  return record;
}
