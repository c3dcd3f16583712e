/** Which tasks of lower priority would have to end for a task that fits nowhere: the cheapest set, none of them for nothing. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { Task } from '#model/task.ts';
import { eligibleRows } from './eligible.ts';
import { taskObstacle } from './filters.ts';
import type { ServiceRequest } from './filters.ts';
import type { NodeTable } from './node-table.ts';

export interface Room {
  readonly row: number;
  /** Sorted; empty: what is stopping there anyway is enough. */
  readonly victims: readonly TaskId[];
}

export interface RoomWish {
  readonly slot: number;
  readonly node?: NodeId;
  /** Tasks that were told to stop already, though the snapshot does not say so. */
  readonly doomed: ReadonlySet<TaskId>;
}

/**
 * Of the nodes on which the task fits once lower priorities gave way, the one whose victims have the least priority, then are the fewest, then
 * the first. Undefined where giving way does not help.
 */
export function findRoom(snapshot: ClusterSnapshot, table: NodeTable, request: ServiceRequest, wish: RoomWish): Room | undefined {
  const priority = request.service.spec.placement.priority;
  if (![...snapshot.services.values()].some(({ value }) => value.spec.placement.priority < priority)) {
    return undefined;
  }
  let best: (Room & { readonly cost: readonly number[] }) | undefined;
  for (const row of eligibleRows(table, request.service)) {
    if (wish.node !== undefined && wish.node !== table.node(row).id) {
      continue;
    }
    const victims = victimsOn(snapshot, table, request, { ...wish, row });
    if (victims !== undefined) {
      const cost = [Math.max(-Infinity, ...victims.map(task => priorityOf(snapshot, task))), victims.length];
      best = best === undefined || isCheaper(cost, best.cost) ? { row, victims: victims.map(task => task.id).sort(), cost } : best;
    }
  }
  return best;
}

function isCheaper(left: readonly number[], right: readonly number[]): boolean {
  const index = left.findIndex((cost, at) => cost !== right[at]);
  return index >= 0 && (left[index] ?? 0) < (right[index] ?? 0);
}

/** All of lower priority go on paper; then each comes back, the highest priority first, unless the task would not fit any more. */
function victimsOn(snapshot: ClusterSnapshot, table: NodeTable, request: ServiceRequest, { row, slot, doomed }: RoomWish & { readonly row: number }): readonly Task[] | undefined {
  const priority = request.service.spec.placement.priority;
  const tasks = table.tasksOn(row);
  const isLeaving = (task: Task): boolean => task.desired === 'stop' || doomed.has(task.id);
  const lower = tasks.filter(task => !isLeaving(task) && priorityOf(snapshot, task) < priority)
    .sort((left, right) => priorityOf(snapshot, right) - priorityOf(snapshot, left) || (left.id < right.id ? -1 : 1));
  const away = new Set([...tasks.filter(isLeaving), ...lower]);
  if (away.size === 0) {
    return undefined;
  }
  const leave = (task: Task): void => { table.give(row, task, table.unitsOf(task.id)); };
  const comeBack = (task: Task): void => { table.put(row, task, table.unitsOf(task.id)); };
  away.forEach(leave);
  const fits = (): boolean => taskObstacle(table, request, row, slot) === undefined;
  const isRoom = fits();
  for (const task of isRoom ? lower : []) {
    comeBack(task);
    if (fits()) {
      away.delete(task);
    } else {
      leave(task);
    }
  }
  away.forEach(comeBack);
  return isRoom ? lower.filter(task => away.has(task)) : undefined;
}

/** Of a service that is gone: it will stop by itself. */
function priorityOf({ services }: ClusterSnapshot, task: Task): number {
  return services.get(task.serviceId)?.value.spec.placement.priority ?? -Infinity;
}
