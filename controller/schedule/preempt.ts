/** Which tasks of lower priority would have to end for a task that fits nowhere: the cheapest set, none of them for nothing. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { requestsOf } from '#model/companion.ts';
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

interface RatedRoom extends Room {
  /** Priority of its victims. */
  readonly highest: number;
}

/**
 * Of the nodes on which the task fits once lower priorities gave way, the one whose victims have the least priority, then are the fewest, then
 * the first. Undefined where giving way does not help.
 */
export function findRoom(snapshot: ClusterSnapshot, table: NodeTable, request: ServiceRequest, wish: RoomWish): Room | undefined {
  return new RoomSearch(snapshot, table, request).find(wish, 0);
}

/** `findRoom` for slots that are alike: a later slot examines only the node that an earlier one took. */
export class RoomSearch {
  readonly #snapshot: ClusterSnapshot;
  readonly #table: NodeTable;
  readonly #request: ServiceRequest;
  readonly #rooms = new Map<number, RatedRoom>();
  /** `changes` at which `#rooms` is right but for the row `#taken`. */
  #validAt = -1;
  #taken: number | undefined;

  constructor(snapshot: ClusterSnapshot, table: NodeTable, request: ServiceRequest) {
    this.#snapshot = snapshot;
    this.#table = table;
    this.#request = request;
  }

  /** @param changes  how often the table was changed so far; the caller takes the room that is found, which is one change */
  find(wish: RoomWish, changes: number): Room | undefined {
    if (!this.#table.priorities.hasBelow(this.#request.service.spec.placement.priority)) {
      return undefined;
    }
    if (changes === this.#validAt && this.#taken !== undefined) {
      this.#rate(wish, this.#taken);
    } else {
      this.#rooms.clear();
      this.#rows(wish).forEach(row => { this.#rate(wish, row); });
    }
    let best: RatedRoom | undefined;
    for (const room of this.#rooms.values()) {
      best = best === undefined || isCheaper(room, best) ? room : best;
    }
    this.#validAt = changes + 1;
    this.#taken = best?.row;
    return best === undefined ? undefined : { row: best.row, victims: best.victims };
  }

  #rows({ node }: RoomWish): Int32Array {
    const rows = eligibleRows(this.#table, this.#request.service);
    return node === undefined ? rows : rows.filter(row => this.#table.node(row).id === node);
  }

  #rate(wish: RoomWish, row: number): void {
    const { milliCpu, memoryBytes } = this.#request.requests;
    const canFit = (this.#table.capacityCpu[row] ?? 0) >= milliCpu && (this.#table.capacityMemory[row] ?? 0) >= memoryBytes;
    const victims = canFit ? victimsOn(this.#snapshot, this.#table, this.#request, { ...wish, row }) : undefined;
    if (victims === undefined) {
      this.#rooms.delete(row);
    } else {
      const highest = Math.max(-Infinity, ...victims.map(task => priorityOf(this.#snapshot, task)));
      this.#rooms.set(row, { row, victims: victims.map(task => task.id).sort(), highest });
    }
  }
}

function isCheaper(left: RatedRoom, right: RatedRoom): boolean {
  if (left.highest !== right.highest) return left.highest < right.highest;
  return left.victims.length === right.victims.length ? left.row < right.row : left.victims.length < right.victims.length;
}

/** All of lower priority go on paper; then each comes back, the highest priority first, unless the task would not fit any more. */
function victimsOn(snapshot: ClusterSnapshot, table: NodeTable, request: ServiceRequest, { row, slot, doomed }: RoomWish & { readonly row: number }): readonly Task[] | undefined {
  const priority = request.service.spec.placement.priority;
  const tasks = table.tasksOn(row);
  const isLeaving = (task: Task): boolean => task.desired === 'stop' || doomed.has(task.id);
  const lower = tasks.filter(task => !isLeaving(task) && priorityOf(snapshot, task) < priority)
    .sort((left, right) => priorityOf(snapshot, right) - priorityOf(snapshot, left) || (left.id < right.id ? -1 : 1));
  const away = new Set([...tasks.filter(isLeaving), ...lower]);
  if (away.size === 0 || !isEnough(table, request, { row, away })) {
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

/** False where cpu or memory would be short even without these tasks: no need to try them one by one. */
function isEnough({ freeCpu, freeMemory }: NodeTable, { requests }: ServiceRequest, { row, away }: { readonly row: number; readonly away: ReadonlySet<Task> }): boolean {
  let [cpu, memory] = [freeCpu[row] ?? 0, freeMemory[row] ?? 0];
  for (const task of away) {
    const { milliCpu, memoryBytes } = requestsOf(task);
    cpu += milliCpu;
    memory += memoryBytes;
  }
  return cpu >= requests.milliCpu && memory >= requests.memoryBytes;
}

/** Of a service that is gone: it will stop by itself. */
function priorityOf({ services }: ClusterSnapshot, task: Task): number {
  return services.get(task.serviceId)?.value.spec.placement.priority ?? -Infinity;
}
