import { FIRST_HOST_NUMBER, LAST_HOST_NUMBER } from '#model/addressing.ts';

/**
 * The lowest free host number above `lastGiven`, else the lowest free one; undefined when all are used.
 *
 * Going round before using one again keeps traffic of a node that has not heard of a task's end yet away from the next task.
 */
export function pickHostNumber(used: ReadonlySet<number>, lastGiven: number): number | undefined {
  return lowestFree(used, Math.max(lastGiven + 1, FIRST_HOST_NUMBER)) ?? lowestFree(used, FIRST_HOST_NUMBER);
}

function lowestFree(used: ReadonlySet<number>, from: number): number | undefined {
  for (let candidate = from; candidate <= LAST_HOST_NUMBER; candidate += 1) {
    if (!used.has(candidate)) {
      return candidate;
    }
  }
  return undefined;
}
