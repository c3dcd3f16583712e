/** The free units of one device of a node, whatever their order: what placements ask about them, computed once. */
import { WHOLE } from '#model/device-share.ts';
import type { DeviceCount } from '#model/service.ts';

/** Demand is counted in shares of this many thousandths. */
export const EIGHTH = WHOLE / 8;

/** Requests that a shape keeps the result of. */
const MAX_KEPT = 64;

/** Shapes that a table keeps for rows to share. */
const MAX_SHARED = 4_096;

/** The units once a task has its own, chosen as `chooseUnits` does. */
export interface Taken {
  readonly after: UnitShape;
  /** An idle unit is opened for a share. */
  readonly opens: boolean;
}

export class UnitShape {
  /** Free thousandths of all units. */
  readonly free: number;
  readonly isIdle: boolean;
  /** Free thousandths of each, ascending. */
  readonly #units: readonly number[];
  /** By eighths: units that have so many free, and free thousandths of those that do not. */
  readonly #fitting = new Int32Array(9);
  readonly #below = new Float64Array(9);
  readonly #taken = new Map<number, Taken | undefined>();

  constructor(units: readonly number[]) {
    this.#units = [...units].sort((left, right) => left - right);
    this.free = units.reduce((sum, left) => sum + left, 0);
    this.isIdle = units.every(left => left === WHOLE);
    for (let eighths = 0; eighths <= 8; eighths += 1) {
      const fitting = units.filter(left => left >= eighths * EIGHTH);
      this.#fitting[eighths] = fitting.length;
      this.#below[eighths] = this.free - fitting.reduce((sum, left) => sum + left, 0);
    }
  }

  get units(): readonly number[] {
    return this.#units;
  }

  /** Free thousandths that are no use to a task of so many units with so many eighths of each. */
  uselessFor(count: number, eighths: number): number {
    return (this.#fitting[eighths] ?? 0) < count ? this.free : this.#below[eighths] ?? 0;
  }

  /** Undefined: the task does not fit. */
  take({ count, milli = WHOLE }: Pick<DeviceCount, 'count' | 'milli'>): Taken | undefined {
    const key = count * (WHOLE + 1) + milli;
    const known = this.#taken.get(key);
    if (known !== undefined || this.#taken.has(key)) return known;
    if (this.#taken.size >= MAX_KEPT) this.#taken.clear();
    const made = this.#make(count, milli);
    this.#taken.set(key, made);
    return made;
  }

  #make(count: number, milli: number): Taken | undefined {
    const units = this.#units;
    const first = units.findIndex(left => left >= milli);
    if (count > 0 && (first < 0 || units.length - first < count)) return undefined;
    const isTaken = (index: number): boolean => index >= first && index < first + count;
    const opens = milli > 0 && milli < WHOLE && units.some((left, index) => left === WHOLE && isTaken(index));
    return { after: new UnitShape(units.map((left, index) => (isTaken(index) ? left - milli : left))), opens };
  }
}

/** One shape for all rows whose units are alike: what one asked of it is known to all. */
export class SharedShapes {
  readonly #known = new Map<string, UnitShape>();

  of(units: readonly number[]): UnitShape {
    const key = units.toSorted((left, right) => left - right).join(' ');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_SHARED) this.#known.clear();
    const made = new UnitShape(units);
    this.#known.set(key, made);
    return made;
  }
}
