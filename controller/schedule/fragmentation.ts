/**
 * How a placement that fills nodes up suits the devices of a node: by the free thousandths that become useless for the tasks
 * that the cluster asks for, then used units and nodes before idle ones.
 *
 * Source: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX ATC 2023.
 */
import type { DemandClass } from './device-demand.ts';
import { EIGHTH } from './unit-shape.ts';
import type { UnitShape } from './unit-shape.ts';

interface NodeRoom {
  readonly milliCpu: number;
  readonly memoryBytes: number;
}

/** Free thousandths that no task of the classes could use, as the classes' weighted mean. */
export function fragmentation(shape: UnitShape, device: string, classes: readonly DemandClass[], { milliCpu, memoryBytes }: NodeRoom): number {
  const { free } = shape;
  if (free === 0) return 0;
  let useless = 0;
  for (const one of classes) {
    if (one.device === device) {
      const isShort = milliCpu < one.milliCpu || memoryBytes < one.memoryBytes;
      useless += one.weight * (isShort ? free : shape.uselessFor(one.count, one.milli / EIGHTH));
    }
  }
  return useless;
}

/** Above what any node's free thousandths come to. */
const FREE_RANGE = 2 ** 20;

/** One number of ranks: what becomes useless, an idle node, an idle unit that is opened for a share, then the free thousandths. Lower is better. */
export function packRank({ isIdle, free }: UnitShape, growth: number, opens: boolean): number {
  return ((Math.round(growth) * 2 + Number(isIdle)) * 2 + Number(opens)) * FREE_RANGE + Math.min(free, FREE_RANGE - 4);
}
