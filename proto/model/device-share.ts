/** Units of a named device on one node: which of them a task gets, whole or in shares. */
import type { DeviceCount } from './service.ts';

/** Thousandths of a unit. */
export const WHOLE = 1_000;

/** Free thousandths of each unit of a device that nobody has yet. */
export function freeUnits(count: number): number[] {
  return Array.from({ length: count }, () => WHOLE);
}

/**
 * The fullest units that still have what is asked of each, lowest index first of equals, so that whole ones stay whole; ascending. Undefined when
 * there are not enough.
 *
 * @param free  thousandths of each unit
 */
export function chooseUnits(free: readonly number[], { count, milli = WHOLE }: DeviceCount): readonly number[] | undefined {
  if (!hasUnits(free, { count, milli })) {
    return undefined;
  }
  return free.map((left, unit) => ({ left, unit })).filter(({ left }) => left >= milli)
    .sort((one, other) => one.left - other.left || one.unit - other.unit).slice(0, count)
    .map(({ unit }) => unit).sort((one, other) => one - other);
}

export function hasUnits(free: readonly number[], request: Pick<DeviceCount, 'count' | 'milli'>): boolean {
  return countUnits(free, request.milli ?? WHOLE) >= request.count;
}

/** How many units have `milli` free. */
export function countUnits(free: readonly number[], milli: number): number {
  let count = 0;
  for (const left of free) {
    count += left >= milli ? 1 : 0;
  }
  return count;
}

/** Changes `free`; less than 0 gives back. */
export function takeUnits(free: number[], units: readonly number[], milli: number): void {
  for (const unit of units) {
    free[unit] = (free[unit] ?? 0) - milli;
  }
}
