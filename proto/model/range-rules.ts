/** Bounds of whole numbers, said in one way. */
import type { Violation } from './errors.ts';

/** A violation unless `value` is a whole number in `least..most`. */
export function checkRange(value: number, path: string, least: number, most: number): readonly Violation[] {
  if (Number.isInteger(value) && value >= least && value <= most) {
    return [];
  }
  const shown = Math.abs(value) > Number.MAX_SAFE_INTEGER ? '' : `, got ${String(value)}`;
  return [{ path, message: `must be a whole number, at least ${String(least)} and at most ${String(most)}${shown}` }];
}
