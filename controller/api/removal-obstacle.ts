/** Why a node may not be removed yet. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { leastReplaceAfterMs } from '#model/exclusive.ts';
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { isOfEarlierNode, tasksOfNode } from '#model/node-of-task.ts';
import { isFinished } from '#model/task.ts';
import type { Task } from '#model/task.ts';
import { volumeName, volumeNames } from '#model/volume.ts';
import { isDataGone } from '../schedule/volume-homes.ts';

/** For how long lost nodes have been seen lost, in milliseconds. */
export interface LostNodes {
  lostForMs(node: Node): number;
}

/**
 * Tasks that have not ended keep a node that is not lost, and so does the data of volumes: it would go with the node. That of global services is each node's own. From a lost
 * node those of its slots are free at once; exclusive tasks keep it until they have stopped by themselves for sure, or until the operator confirms the loss.
 */
export function removalObstacle(node: Node, snapshot: ClusterSnapshot, lostNodes: LostNodes): string | undefined {
  const { id, condition } = node;
  const here = tasksOfNode(snapshot, id).map(({ value }) => value);
  const left = here.filter(task => !isFinished(snapshot.statuses.get(task.id)?.value.phase ?? 'pending'));
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
  const recorded = [...snapshot.volumes.values()].map(entry => entry.value).filter(volume => volume.node === id && volume.state === 'present' && !volume.isPerNode && !isOfEarlierNode(snapshot, volume));
  const told = tasks.filter(task => task.kind !== 'global').flatMap(task => volumeNames(task, task.slot).filter(volume => !isDataGone(snapshot, task, volume)));
  return [...recorded.map(volumeName), ...told].sort()[0];
}
