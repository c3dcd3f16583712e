/** Which tasks would be better off on another node: few moves, each worth what it costs, none that interrupts a service. */
import type { Service } from '#model/app.ts';
import type { ClusterPlan, NodePicture, PlannedTask } from '#model/cluster-plan.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { requestsOf } from '#model/companion.ts';
import type { NodeId, ServiceId, TaskId } from '#model/ids.ts';
import { addResources, subtractResources } from '#model/resources.ts';
import type { Resources } from '#model/resources.ts';
import type { Node } from '#model/node.ts';
import type { Task } from '#model/task.ts';
import { explainNode } from '../schedule/explain.ts';
import { nodeObstacle } from '../schedule/filters.ts';
import type { Obstacle } from '../schedule/filters.ts';
import { nodeLoads } from '../schedule/node-load.ts';
import type { NodeLoad } from '../schedule/node-load.ts';
import { NodeTable } from '../schedule/node-table.ts';
import { schedule } from '../schedule/schedule.ts';
import { isBetter } from '../schedule/scores.ts';
import { detached, PaperCluster } from './paper-cluster.ts';
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

/** Tries of one turn: the event loop is free between turns. */
export const TRIES_PER_TURN = 8;

/**
 * Moves on paper, one after the other, the task that gains most from the fullest node; `notes` says what may not move at all, and which nodes take nothing.
 *
 * 1. The snapshot is read once, when this is made: later changes of it do not matter. 2. It is one paper cluster and one table, however many tasks
 * are tried. 3. A turn calls the scheduler TRIES_PER_TURN times at most, all turns together MAX_TRIES times.
 */
export class MovePlanner {
  readonly #limits: MoveLimits;
  readonly #place: typeof schedule;
  readonly #paper: PaperCluster;
  readonly #table: NodeTable;
  readonly #loads: ReadonlyMap<NodeId, NodeLoad>;
  readonly #before: ReadonlyMap<NodeId, Resources>;
  readonly #copies: CopyCounts;
  readonly #waiting: Movable[];
  readonly #notes: readonly string[];
  readonly #baseRevision: number;
  readonly #actions: PlannedTask[] = [];
  #tries = 0;

  /** @param place  the scheduler */
  constructor(snapshot: ClusterSnapshot, limits: MoveLimits, place: typeof schedule = schedule) {
    this.#limits = limits;
    this.#place = place;
    this.#paper = new PaperCluster(detached(snapshot));
    this.#table = new NodeTable(this.#paper.snapshot);
    this.#loads = new Map(nodeLoads(snapshot).map(load => [load.node.id, load]));
    this.#before = new Map([...this.#loads].map(([node, { used }]) => [node, used]));
    this.#copies = new CopyCounts(snapshot);
    const { movable, notes } = movableTasks(snapshot, limits);
    this.#waiting = [...movable];
    this.#notes = [...notes, ...closedNodes(snapshot, new Set(movable.map(one => one.service)))];
    this.#baseRevision = snapshot.etcdRevision;
  }

  /** One turn. True: there is no more to try. */
  step(): boolean {
    for (let turn = 0; turn < TRIES_PER_TURN; turn += 1) {
      const next = this.#tries < MAX_TRIES && this.#actions.length < this.#limits.maxMoves ? this.#takeNext() : undefined;
      if (next === undefined) {
        return true;
      }
      this.#tries += 1;
      this.#try(next);
    }
    return false;
  }

  /** What the turns so far came to. */
  get plan(): ClusterPlan {
    const nodes = [...this.#loads.values()].map(({ node, used }): NodePicture => ({ node: node.id, capacity: node.capacity, before: this.#before.get(node.id) ?? used, after: used }));
    return { baseRevision: this.#baseRevision, actions: this.#actions, unplaced: [], changes: [], nodes, notes: this.#notes };
  }

  /** Of the service with most tasks on one node, then from the fullest node, then the largest. */
  #takeNext(): Movable | undefined {
    let best: { readonly at: number; readonly ranks: readonly number[]; readonly id: TaskId } | undefined;
    for (const [at, { task, service }] of this.#waiting.entries()) {
      const load = this.#loads.get(task.node);
      const ranks = [-this.#copies.on(service.id, task.node), load === undefined ? 0 : -shareOf(load, load.used), -requestsOf(task).memoryBytes];
      if (best === undefined || isBetter(ranks, best.ranks) || (!isBetter(best.ranks, ranks) && task.id < best.id)) {
        best = { at, ranks, id: task.id };
      }
    }
    return best === undefined ? undefined : this.#waiting.splice(best.at, 1)[0];
  }

  /** Carries the move out on paper, where there is one that gains more than it costs. */
  #try({ task, service }: Movable): void {
    const status = this.#paper.snapshot.statuses.get(task.id)?.value;
    this.#paper.apply({ kind: 'remove-task', taskId: task.id, reason: '' });
    this.#refresh(task.node);
    const [placement] = this.#place(this.#paper.snapshot, [{ service, slots: [{ slot: task.slot }] }], this.#table).placements;
    const move = placement === undefined ? undefined : this.#worth({ task, service }, placement.node);
    const node = move?.node ?? task.node;
    this.#paper.apply({ kind: 'create-task', task: { ...task, node }, reason: '' });
    if (status !== undefined && move === undefined) {
      this.#paper.report(status);
    }
    this.#refresh(node);
    if (move !== undefined) {
      this.#actions.push(move);
      this.#copies.move(service.id, task.node, node);
      shift(this.#loads.get(task.node), this.#loads.get(node), requestsOf(task));
    }
  }

  #refresh(node: NodeId): void {
    this.#table.refresh(this.#paper.snapshot, { nodes: [node], services: [] });
  }

  #worth({ task, service }: Movable, node: NodeId): PlannedTask | undefined {
    const [from, to] = [this.#loads.get(task.node), this.#loads.get(node)];
    if (from === undefined || to === undefined || from === to) {
      return undefined;
    }
    const [here, there] = [this.#copies.on(service.id, task.node), this.#copies.on(service.id, node)];
    const evened = here - there - 1;
    const gain = gainOf(from, to, requestsOf(task));
    if (evened < 0 || (evened === 0 && gain <= MOVE_COST)) {
      return undefined;
    }
    const reason = evened > 0
      ? `evens out the service: ${String(here)} of its tasks on ${task.node}, ${String(there)} on ${node}`
      : `takes ${(100 * gain).toFixed(0)} points of load off ${task.node}; a move costs ${(100 * MOVE_COST).toFixed(0)}`;
    return { kind: 'move', service: service.id, slot: task.slot, task: task.id, node, fromNode: task.node, reason };
  }
}

/** How many wanted tasks of a service are on a node. */
class CopyCounts {
  readonly #counts = new Map<string, number>();

  constructor({ tasks }: ClusterSnapshot) {
    for (const { value: task } of tasks.values()) {
      this.#add(task.serviceId, task.node, task.desired === 'run' ? 1 : 0);
    }
  }

  on(service: ServiceId, node: NodeId): number {
    return this.#counts.get(`${service} ${node}`) ?? 0;
  }

  move(service: ServiceId, from: NodeId, to: NodeId): void {
    this.#add(service, from, -1);
    this.#add(service, to, 1);
  }

  #add(service: ServiceId, node: NodeId, count: number): void {
    this.#counts.set(`${service} ${node}`, this.on(service, node) + count);
  }
}

function shift(from: NodeLoad | undefined, to: NodeLoad | undefined, size: Resources): void {
  if (from !== undefined && to !== undefined) {
    from.used = subtractResources(from.used, size);
    to.used = addResources(to.used, size);
  }
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

/** Nodes that a note names; of more it says how many. */
const MAX_NAMED = 10;

/** Nodes that take no task of any of the services, whatever room they have, and why; those with the same reason in one sentence. */
function closedNodes(snapshot: ClusterSnapshot, services: ReadonlySet<Service>): readonly string[] {
  const nodes = [...snapshot.nodes.values()].map(entry => entry.value).sort((left, right) => (left.id < right.id ? -1 : 1));
  const closed = nodes.flatMap(node => {
    const reason = whyClosed(node, services);
    return reason === undefined ? [] : [{ name: `node/${node.id}`, reason }];
  });
  return [...Map.groupBy(closed, one => one.reason)].map(([reason, group]) => {
    const more = group.length > MAX_NAMED ? ` and ${String(group.length - MAX_NAMED)} more` : '';
    return `${group.slice(0, MAX_NAMED).map(one => one.name).join(', ')}${more} ${group.length === 1 ? 'takes nothing: it' : 'take nothing: each'} ${reason}`;
  });
}

/** Undefined where it takes tasks of some service. */
function whyClosed(node: Node, services: ReadonlySet<Service>): string | undefined {
  if (node.condition !== 'ready') {
    return `is ${node.condition} since ${new Date(node.conditionSinceMs).toISOString()}`;
  }
  if (node.availability !== 'active') {
    return `is ${node.availability}`;
  }
  const obstacles: Obstacle[] = [];
  for (const service of services) {
    const obstacle = nodeObstacle(node, service);
    if (obstacle === undefined) {
      return undefined;
    }
    obstacles.push(obstacle);
  }
  return obstacles.length === 0 ? undefined : explainNode(obstacles);
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
