/** The best node for tasks that are all alike, one after the other, without a look at every node each time. */
import { taskObstacle } from './filters.ts';
import type { ServiceRequest } from './filters.ts';
import type { NodeLoad } from './node-load.ts';
import { isBetter, scoreNode } from './scores.ts';

/** No slot: scores of slots that were nowhere before are the same for all of them. */
const NO_SLOT = -1;

interface Entry {
  readonly load: NodeLoad;
  /** Place in the order of ids: the first of equals wins. */
  readonly order: number;
  scores: readonly number[];
}

/**
 * A heap by scores as they were when last looked at. While a call places, a node only gets fuller and its scores only worse: an entry whose
 * scores still hold at the top is the best of all, one that is worse by now sinks, one that the task does not fit on any more leaves.
 */
export class NodeQueue {
  readonly #request: ServiceRequest;
  readonly #heap: Entry[];

  constructor(loads: readonly NodeLoad[], request: ServiceRequest) {
    this.#request = request;
    this.#heap = loads.map((load, order) => ({ load, order, scores: scoreNode(load, request, NO_SLOT) }));
    for (let index = Math.floor(this.#heap.length / 2) - 1; index >= 0; index -= 1) {
      this.#sink(index);
    }
  }

  /** The node that a look at all of them would choose; undefined when none fits. */
  best(): NodeLoad | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (taskObstacle(top.load, this.#request, NO_SLOT) !== undefined) {
        this.#dropTop();
        continue;
      }
      const scores = scoreNode(top.load, this.#request, NO_SLOT);
      if (!isBetter(top.scores, scores)) {
        return top.load;
      }
      top.scores = scores;
      this.#sink(0);
    }
    return undefined;
  }

  #dropTop(): void {
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink(0);
    }
  }

  #sink(from: number): void {
    const heap = this.#heap;
    for (let index = from; ;) {
      const left = 2 * index + 1;
      let first = index;
      for (const child of [left, left + 1]) {
        first = isBefore(heap[child], heap[first]) ? child : first;
      }
      const [upper, lower] = [heap[index], heap[first]];
      if (first === index || upper === undefined || lower === undefined) {
        return;
      }
      heap[index] = lower;
      heap[first] = upper;
      index = first;
    }
  }
}

function isBefore(left: Entry | undefined, right: Entry | undefined): boolean {
  if (left === undefined || right === undefined) {
    return false;
  }
  return isBetter(left.scores, right.scores) || (left.order < right.order && !isBetter(right.scores, left.scores));
}
