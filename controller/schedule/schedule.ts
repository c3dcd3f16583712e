/** The scheduler: which node each missing task goes to, and why none where none fits. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId, ServiceId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { nodeObstacle, taskObstacle } from './filters.ts';
import type { Obstacle, ServiceRequest } from './filters.ts';
import { LabelCounts } from './label-counts.ts';
import { isEnded, nodeLoads, take } from './node-load.ts';
import type { NodeLoad } from './node-load.ts';
import type { Task } from '#model/task.ts';
import { NodeQueue } from './node-queue.ts';
import { isBetter, scoreNode, spreadLabels } from './scores.ts';
import { volumeHomes, volumeKeys } from './volume-homes.ts';

export interface WantedSlot {
  readonly slot: number;
  /** The only node it may go to (`global`). */
  readonly node?: NodeId;
}

export interface PendingService {
  readonly service: Service;
  readonly slots: readonly WantedSlot[];
}

export interface Placement {
  readonly service: ServiceId;
  readonly slot: number;
  readonly node: NodeId;
}

/** A slot that fits nowhere; one obstacle a node, in order of node ids. */
export interface Rejection {
  readonly service: ServiceId;
  readonly slot: number;
  readonly obstacles: readonly Obstacle[];
}

export interface Schedule {
  readonly placements: readonly Placement[];
  readonly rejections: readonly Rejection[];
}

/**
 * Places slot by slot, services in order of ids and slots from the lowest, each on the best node that passes all filters;
 * of equal nodes the one with the lowest id. The same input in any order gives the same answer.
 *
 * What tasks of one service share (the nodes that can ever take them) is found once per service, so the cost per
 * task is one pass over those.
 */
export function schedule(snapshot: ClusterSnapshot, pending: readonly PendingService[]): Schedule {
  const loads = nodeLoads(snapshot);
  const placements: Placement[] = [];
  const rejections: Rejection[] = [];
  for (const one of [...pending].sort((left, right) => (left.service.id < right.service.id ? -1 : 1))) {
    const request = requestFor(snapshot, one.service);
    const eligibility = findEligible(loads, request);
    const queue = isAlike(one) ? new NodeQueue(eligibility.loads, request) : undefined;
    for (const wanted of [...one.slots].sort((left, right) => left.slot - right.slot)) {
      const choice = placeNext(queue, eligibility, request, wanted);
      if (choice.kind === 'node') {
        placements.push({ service: one.service.id, slot: wanted.slot, node: choice.load.node.id });
        count(choice.load, request, wanted.slot);
      } else {
        rejections.push({ service: one.service.id, slot: wanted.slot, obstacles: choice.obstacles });
      }
    }
  }
  return { placements, rejections };
}

/** Nodes that may take tasks of the service at all, by the filters that do not change during a call. */
interface Eligibility {
  readonly loads: readonly NodeLoad[];
  readonly obstacles: readonly Obstacle[];
}

type Choice = { readonly kind: 'node'; readonly load: NodeLoad } | { readonly kind: 'none'; readonly obstacles: readonly Obstacle[] };

function findEligible(loads: readonly NodeLoad[], request: ServiceRequest): Eligibility {
  const obstacles: Obstacle[] = [];
  const eligible = loads.filter(load => {
    const obstacle = nodeObstacle(load, request);
    if (obstacle !== undefined) {
      obstacles.push(obstacle);
    }
    return obstacle === undefined;
  });
  return { loads: eligible, obstacles };
}

/** Slots from which a queue of the nodes is quicker than a look at all of them for each. */
const QUEUE_FROM = 8;

/** True when no slot differs from another in where it may go. */
function isAlike({ service, slots }: PendingService): boolean {
  const hasData = service.spec.container.volumes.some(mount => mount.kind === 'volume');
  return slots.length >= QUEUE_FROM && !hasData && slots.every(slot => slot.node === undefined);
}

/** By the queue where there is one and the slot was nowhere before; a look at all nodes says the same, and why none fits. */
function placeNext(queue: NodeQueue | undefined, eligibility: Eligibility, request: ServiceRequest, wanted: WantedSlot): Choice {
  const best = queue === undefined || request.previous.has(wanted.slot) ? undefined : queue.best();
  return best === undefined ? place(eligibility, request, wanted) : { kind: 'node', load: best };
}

function place(eligibility: Eligibility, request: ServiceRequest, wanted: WantedSlot): Choice {
  const obstacles = [...eligibility.obstacles];
  let best: { readonly load: NodeLoad; readonly scores: readonly number[] } | undefined;
  for (const load of eligibility.loads) {
    if (wanted.node !== undefined && wanted.node !== load.node.id) {
      continue;
    }
    const obstacle = taskObstacle(load, request, wanted.slot);
    if (obstacle !== undefined) {
      obstacles.push(obstacle);
      continue;
    }
    const scores = scoreNode(load, request, wanted.slot);
    if (best === undefined || isBetter(scores, best.scores)) {
      best = { load, scores };
    }
  }
  if (best !== undefined) {
    return { kind: 'node', load: best.load };
  }
  const relevant = obstacles.filter(one => wanted.node === undefined || wanted.node === one.node);
  return { kind: 'none', obstacles: relevant.sort((left, right) => (left.node < right.node ? -1 : 1)) };
}

/** What the scheduler knows of a service before it places. */
export function requestFor(snapshot: ClusterSnapshot, service: Service): ServiceRequest {
  const { placement } = service.spec;
  const tasks = [...snapshot.tasksOfService.get(service.id) ?? []].flatMap(id => snapshot.tasks.get(id)?.value ?? []);
  const present = tasks.filter(task => isPresent(snapshot, task));
  const nodesOf = (some: readonly Task[]): readonly Node[] => some.flatMap(task => snapshot.nodes.get(task.node)?.value ?? []);
  const current = present.filter(task => task.desired === 'run' && task.templateHash === service.templateHash);
  return {
    service,
    homes: volumeHomes(snapshot, service),
    previous: previousNodes(snapshot, tasks),
    placed: new LabelCounts(placement.maxPer.map(limit => limit.label), nodesOf(present)),
    current: new LabelCounts(spreadLabels(placement), nodesOf(current)),
  };
}

/** It may run on a node that is there. */
function isPresent(snapshot: ClusterSnapshot, task: Task): boolean {
  const node = snapshot.nodes.get(task.node)?.value;
  return node !== undefined && node.condition !== 'lost' && !isEnded(snapshot, task);
}

function previousNodes(snapshot: ClusterSnapshot, tasks: readonly Task[]): ReadonlyMap<number, NodeId> {
  const newest = new Map<number, Task>();
  for (const task of tasks) {
    if (task.fence >= (newest.get(task.slot)?.fence ?? 0)) {
      newest.set(task.slot, task);
    }
  }
  return new Map([...newest].filter(([, task]) => snapshot.statuses.get(task.id)?.value.phase !== 'failed').map(([slot, task]) => [slot, task.node]));
}

function count(load: NodeLoad, request: ServiceRequest, slot: number): void {
  const { service } = request;
  take(load, service.spec, true);
  request.placed.add(load.node);
  request.current.add(load.node);
  for (const key of volumeKeys({ ...service.spec, namespace: service.namespace, volumes: service.volumes }, slot)) {
    if (service.spec.kind !== 'global') {
      request.homes.set(key, load.node.id);
    }
  }
}
