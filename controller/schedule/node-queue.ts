/** The best node for tasks that are all alike, one after the other, without a look at every node each time. */
import { taskObstacle } from './filters.ts';
import type { ServiceRequest } from './filters.ts';
import type { RankColumn } from './label-counts.ts';
import type { NodeTable } from './node-table.ts';
import type { Candidates } from './pick.ts';
import { roomRank } from './scores.ts';

/** No slot: ranks of slots that were nowhere before are the same for all of them. */
const NO_SLOT = -1;

/**
 * A heap by ranks as they were when last looked at. While tasks of one kind are placed, only the node that got one changes its own rank, and what
 * else changes gets worse: an entry whose ranks still hold at the top is the best of all, one that is worse by now sinks, one that the task does
 * not fit on any more leaves.
 */
export class NodeQueue {
  readonly #table: NodeTable;
  readonly #request: ServiceRequest;
  readonly #columns: readonly RankColumn[];
  /** Rows, in heap order. */
  readonly #heap: Int32Array;
  /** Ranks of a row when last looked at: as many numbers as there are columns, then its room. */
  readonly #ranks: Float64Array;
  readonly #width: number;
  #length: number;

  constructor(table: NodeTable, request: ServiceRequest, { rows, columns }: Candidates) {
    this.#table = table;
    this.#request = request;
    this.#columns = columns;
    this.#width = columns.length + 1;
    const { milliCpu, memoryBytes } = request.requests;
    this.#heap = new Int32Array(rows.length);
    this.#ranks = new Float64Array(table.size * this.#width);
    this.#length = 0;
    for (const row of rows) {
      if ((table.freeCpu[row] ?? 0) >= milliCpu && (table.freeMemory[row] ?? 0) >= memoryBytes) {
        this.#heap[this.#length] = row;
        this.#length += 1;
        this.#look(row);
      }
    }
    for (let index = Math.floor(this.#length / 2) - 1; index >= 0; index -= 1) {
      this.#sink(index);
    }
  }

  /** The row that a look at all of them would choose for `request`, which is like the queue's own; -1 when none fits. */
  best(request: ServiceRequest = this.#request): number {
    while (this.#length > 0) {
      const top = this.#heap[0] ?? 0;
      if (taskObstacle(this.#table, request, top, NO_SLOT) !== undefined) {
        this.#dropTop();
      } else if (this.#look(top)) {
        this.#sink(0);
      } else {
        return top;
      }
    }
    return -1;
  }

  /** Ranks the row anew. True when it is worse than it was. */
  #look(row: number): boolean {
    const ranks = this.#ranks;
    const at = row * this.#width;
    let order = 0;
    let last = at;
    for (const { bucketOf, rank } of this.#columns) {
      const now = rank[bucketOf[row] ?? 0] ?? 0;
      order = order === 0 ? now - (ranks[last] ?? 0) : order;
      ranks[last] = now;
      last += 1;
    }
    const room = roomRank(this.#table, this.#request, row);
    order = order === 0 ? room - (ranks[last] ?? 0) : order;
    ranks[last] = room;
    return order > 0;
  }

  #dropTop(): void {
    this.#length -= 1;
    this.#heap[0] = this.#heap[this.#length] ?? 0;
    this.#sink(0);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const moved = heap[from] ?? 0;
    let index = from;
    for (let child = 2 * index + 1; child < this.#length; child = 2 * index + 1) {
      const right = child + 1;
      const first = right < this.#length && this.#isBefore(heap[right] ?? 0, heap[child] ?? 0) ? right : child;
      if (!this.#isBefore(heap[first] ?? 0, moved)) {
        break;
      }
      heap[index] = heap[first] ?? 0;
      index = first;
    }
    heap[index] = moved;
  }

  /** Of equals the first row. */
  #isBefore(left: number, right: number): boolean {
    const ranks = this.#ranks;
    const width = this.#width;
    for (let index = 0; index < width; index += 1) {
      const difference = (ranks[left * width + index] ?? 0) - (ranks[right * width + index] ?? 0);
      if (difference !== 0) {
        return difference < 0;
      }
    }
    return left < right;
  }
}
