/** Which tasks would be better off on another node: few moves, each worth what it costs, none that interrupts a service. */
import type { Service } from '#model/app.ts';
import type { ClusterPlan, NodePicture, PlannedTask } from '#model/cluster-plan.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { requestsOf } from '#model/companion.ts';
import type { NodeId } from '#model/ids.ts';
import type { Resources } from '#model/resources.ts';
import type { Task } from '#model/task.ts';
import { nodeLoads } from '../schedule/node-load.ts';
import type { NodeLoad } from '../schedule/node-load.ts';
import { schedule } from '../schedule/schedule.ts';
import { PaperCluster } from './paper-cluster.ts';
import { isStopFirst } from './slot-plan.ts';
import { isLive, isServing, mayStay, serviceState } from './task-row.ts';

/**
 * Cost of a move, as a share of a node: a container's start, perhaps its image, and connections that end. What it takes off the fuller
 * of the two nodes must be more.
 */
const MOVE_COST = 0.05;
/** Tasks that are tried at most: each costs one call of the scheduler. */
const MAX_TRIES = 200;

export interface MoveLimits {
  readonly maxMoves: number;
  /** Only services of this namespace; absent: all. */
  readonly namespace?: string;
}

/** Moves on paper, one after the other, the task that gains most from the fullest node; `notes` says what may not move at all. */
export function planMoves(snapshot: ClusterSnapshot, limits: MoveLimits): ClusterPlan {
  const paper = new PaperCluster(snapshot);
  const { movable, notes } = movableTasks(snapshot, limits);
  const waiting = [...movable];
  const actions: PlannedTask[] = [];
  for (let tries = 0; tries < MAX_TRIES && actions.length < limits.maxMoves; tries += 1) {
    const [next] = inOrder(waiting, paper.snapshot);
    if (next === undefined) {
      break;
    }
    waiting.splice(waiting.indexOf(next), 1);
    const move = betterPlace(paper, next);
    if (move !== undefined) {
      actions.push(move);
    }
  }
  return { baseRevision: snapshot.etcdRevision, actions, unplaced: [], changes: [], nodes: picturesOf(snapshot, paper.snapshot), notes };
}

interface Movable {
  readonly task: Task;
  readonly service: Service;
}

function movableTasks(snapshot: ClusterSnapshot, { namespace }: MoveLimits): { readonly movable: readonly Movable[]; readonly notes: readonly string[] } {
  const notes: string[] = [];
  const services = [...snapshot.services.values()].map(entry => entry.value).filter(one => !one.isDeleting && (namespace === undefined || one.namespace === namespace));
  const movable = services.sort((left, right) => (left.id < right.id ? -1 : 1)).flatMap(service => {
    const rows = (serviceState(snapshot, service.id)?.rows ?? []).filter(isLive);
    const obstacle = rows.length === 0 ? undefined : obstacleOf(snapshot, service, rows.every(row => isServing(row) && mayStay(row, service)));
    if (obstacle !== undefined) {
      notes.push(`service/${service.id} stays: ${obstacle}`);
      return [];
    }
    return rows.map(({ task }) => ({ task, service }));
  });
  return { movable, notes };
}

/** Why no task of the service is moved. */
function obstacleOf(snapshot: ClusterSnapshot, service: Service, isQuiet: boolean): string | undefined {
  const { spec } = service;
  const isSettled = snapshot.serviceStatuses.get(service.id)?.value.settledRevision === service.revision;
  if (spec.kind !== 'service') {
    return `it is of kind ${spec.kind}`;
  }
  if (isStopFirst(service)) {
    return 'its tasks end before their replacements start, so a move would interrupt it';
  }
  if (spec.placement.policy === 'binpack') {
    return 'it is packed, not spread';
  }
  return isQuiet && isSettled ? undefined : 'its tasks do not all serve, are being updated, or move already';
}

/** From the fullest node first; of one node the service with most tasks there, then the largest. */
function inOrder(tasks: readonly Movable[], snapshot: ClusterSnapshot): readonly Movable[] {
  const shares = new Map(nodeLoads(snapshot).map(load => [load.node.id, shareOf(load, load.used)]));
  const keyed = tasks.map(one => ({ one, copies: copiesOn(snapshot, one.service, one.task.node), share: shares.get(one.task.node) ?? 0 }));
  return keyed.sort((left, right) => right.copies - left.copies || right.share - left.share || sizeOf(right.one) - sizeOf(left.one)
    || (left.one.task.id < right.one.task.id ? -1 : 1)).map(({ one }) => one);
}

function sizeOf({ task }: Movable): number {
  return requestsOf(task).memoryBytes;
}

/** Carries the move out on paper, where there is one that gains more than it costs. */
function betterPlace(paper: PaperCluster, { task, service }: Movable): PlannedTask | undefined {
  const before = paper.snapshot;
  const loads = nodeLoads(before);
  const copies = (node: NodeId): number => copiesOn(before, service, node);
  const without = new PaperCluster(before);
  without.apply({ kind: 'remove-task', taskId: task.id, reason: '' });
  const [placement] = schedule(without.snapshot, [{ service, slots: [{ slot: task.slot }] }]).placements;
  const from = loads.find(load => load.node.id === task.node);
  const to = loads.find(load => load.node.id === placement?.node);
  if (from === undefined || to === undefined || from === to) {
    return undefined;
  }
  const evened = copies(task.node) - copies(to.node.id) - 1;
  const gain = gainOf(from, to, requestsOf(task));
  if (evened < 0 || (evened === 0 && gain <= MOVE_COST)) {
    return undefined;
  }
  paper.apply({ kind: 'remove-task', taskId: task.id, reason: '' });
  paper.apply({ kind: 'create-task', task: { ...task, node: to.node.id }, reason: '' });
  const reason = evened > 0
    ? `evens out the service: ${String(copies(task.node))} of its tasks on ${task.node}, ${String(copies(to.node.id))} on ${to.node.id}`
    : `takes ${(100 * gain).toFixed(0)} points of load off ${task.node}; a move costs ${(100 * MOVE_COST).toFixed(0)}`;
  return { kind: 'move', service: service.id, slot: task.slot, task: task.id, node: to.node.id, fromNode: task.node, reason };
}

/** How much lower the fuller of the two nodes is after the move, as a share of its capacity. */
function gainOf(from: NodeLoad, to: NodeLoad, size: Resources): number {
  const before = Math.max(shareOf(from, from.used), shareOf(to, to.used));
  const after = Math.max(
    shareOf(from, { milliCpu: from.used.milliCpu - size.milliCpu, memoryBytes: from.used.memoryBytes - size.memoryBytes }),
    shareOf(to, { milliCpu: to.used.milliCpu + size.milliCpu, memoryBytes: to.used.memoryBytes + size.memoryBytes }),
  );
  return before - after;
}

/** Of the scarcer of cpu and memory. */
function shareOf({ node: { capacity } }: NodeLoad, used: Pick<Resources, 'milliCpu' | 'memoryBytes'>): number {
  return Math.max(used.milliCpu / Math.max(1, capacity.milliCpu), used.memoryBytes / Math.max(1, capacity.memoryBytes));
}

function copiesOn(snapshot: ClusterSnapshot, service: Service, node: NodeId): number {
  return [...(snapshot.tasksOfService.get(service.id) ?? [])].filter(id => {
    const task = snapshot.tasks.get(id)?.value;
    return task?.node === node && task.desired === 'run';
  }).length;
}

function picturesOf(before: ClusterSnapshot, after: ClusterSnapshot): readonly NodePicture[] {
  const used = new Map(nodeLoads(before).map(load => [load.node.id, load.used]));
  return nodeLoads(after).map(({ node, used: usedAfter }) => ({ node: node.id, capacity: node.capacity, before: used.get(node.id) ?? usedAfter, after: usedAfter }));
}
