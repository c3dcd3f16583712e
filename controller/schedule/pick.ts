/** The best node for one task: one look at each that may take it. */
import { isPlain, taskObstacle } from './filters.ts';
import type { ServiceRequest } from './filters.ts';
import type { RankColumn } from './label-counts.ts';
import type { NodeTable } from './node-table.ts';
import { roomRank } from './scores.ts';

export interface Candidates {
  /** Rows of nodes that may take the service, ascending. */
  readonly rows: Int32Array;
  /** Ranks before room, most important first. */
  readonly columns: readonly RankColumn[];
}

/** The first of the best rows on which the task fits; -1 where there is none. */
export function pickRow(table: NodeTable, request: ServiceRequest, { rows, columns }: Candidates, slot: number): number {
  const isOpen = isPlain(request);
  const bestRanks = new Float64Array(columns.length);
  let best = -1;
  let bestRoom = 0;
  for (const row of rows) {
    if (!hasRoom(table, request, row)) {
      continue;
    }
    const order = best < 0 ? -1 : compareRanks(columns, row, bestRanks);
    if (order > 0) {
      continue;
    }
    const room = roomRank(table, request, row);
    if (room === Infinity) {
      continue;
    }
    if ((order < 0 || room < bestRoom) && (isOpen || taskObstacle(table, request, row, slot) === undefined)) {
      best = row;
      bestRoom = room;
      keepRanks(columns, row, bestRanks);
    }
  }
  return best;
}

/** All that can be short for a plain request. */
function hasRoom({ freeCpu, freeMemory, freeAddresses }: NodeTable, { requests }: ServiceRequest, row: number): boolean {
  return (freeCpu[row] ?? 0) >= requests.milliCpu && (freeMemory[row] ?? 0) >= requests.memoryBytes && (freeAddresses[row] ?? 0) >= 1;
}

/** Below 0: the row is better than what has `ranks`. */
function compareRanks(columns: readonly RankColumn[], row: number, ranks: Float64Array): number {
  let index = 0;
  for (const { bucketOf, rank } of columns) {
    const difference = (rank[bucketOf[row] ?? 0] ?? 0) - (ranks[index] ?? 0);
    if (difference !== 0) {
      return difference;
    }
    index += 1;
  }
  return 0;
}

function keepRanks(columns: readonly RankColumn[], row: number, ranks: Float64Array): void {
  let index = 0;
  for (const { bucketOf, rank } of columns) {
    ranks[index] = rank[bucketOf[row] ?? 0] ?? 0;
    index += 1;
  }
}
