/**
 * How a placement that fills nodes up suits the devices of a node: by the free thousandths that become useless for the tasks
 * that the cluster asks for, then used units and nodes before idle ones.
 *
 * Source: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX ATC 2023.
 */
import { WHOLE } from '#model/device-share.ts';
import type { DeviceCount } from '#model/service.ts';
import type { DemandClass } from './device-demand.ts';

interface NodeRoom {
  readonly milliCpu: number;
  readonly memoryBytes: number;
}

/** Free thousandths that no task of the classes could use, as the classes' weighted mean. */
export function fragmentation(units: readonly number[], device: string, classes: readonly DemandClass[], room: NodeRoom): number {
  let free = 0;
  for (const left of units) free += left;
  if (free === 0) return 0;
  let useless = 0;
  for (const one of classes) {
    if (one.device === device) {
      useless += one.weight * uselessFor(units, one, { ...room, free });
    }
  }
  return useless;
}

function uselessFor(units: readonly number[], { count, milli, milliCpu, memoryBytes }: DemandClass, { free, ...room }: NodeRoom & { readonly free: number }): number {
  if (room.milliCpu < milliCpu || room.memoryBytes < memoryBytes) return free;
  let [fitting, useless] = [0, 0];
  for (const left of units) {
    if (left >= milli) fitting += 1;
    else useless += left;
  }
  return fitting < count ? free : useless;
}

/** The units once the task has its own, chosen as `chooseUnits` does. Undefined: it does not fit. */
export function unitsAfter(units: readonly number[], { count, milli = WHOLE }: DeviceCount): number[] | undefined {
  const after = [...units];
  const taken = new Set<number>();
  while (taken.size < count) {
    let best = -1;
    for (let unit = 0; unit < units.length; unit += 1) {
      const left = units[unit] ?? 0;
      if (left >= milli && !taken.has(unit) && (best < 0 || left < (units[best] ?? 0))) best = unit;
    }
    if (best < 0) return undefined;
    taken.add(best);
    after[best] = (units[best] ?? 0) - milli;
  }
  return after;
}

/** Above what any node's free thousandths come to. */
const FREE_RANGE = 2 ** 20;

/** One number of ranks: what becomes useless, an idle node, an idle unit that is opened for a share, then the free thousandths. Lower is better. */
export function packRank(before: readonly number[], after: readonly number[], growth: number): number {
  const isIdle = before.every(left => left === WHOLE);
  const opened = before.some((left, unit) => left === WHOLE && (after[unit] ?? 0) > 0 && (after[unit] ?? 0) < WHOLE);
  const free = before.reduce((sum, left) => sum + left, 0);
  return ((Math.round(growth) * 2 + Number(isIdle)) * 2 + Number(opened)) * FREE_RANGE + Math.min(free, FREE_RANGE - 4);
}
