/** Amounts a node has or a task asks for. Units live in the names. */
export interface Resources {
  /** Thousandths of a core. */
  readonly milliCpu: number;
  readonly memoryBytes: number;
}

export const NO_RESOURCES: Resources = { milliCpu: 0, memoryBytes: 0 };

export function addResources(left: Resources, right: Resources): Resources {
  return { milliCpu: left.milliCpu + right.milliCpu, memoryBytes: left.memoryBytes + right.memoryBytes };
}

export function subtractResources(left: Resources, right: Resources): Resources {
  return { milliCpu: left.milliCpu - right.milliCpu, memoryBytes: left.memoryBytes - right.memoryBytes };
}

/** The larger in each dimension. */
export function largerResources(left: Resources, right: Resources): Resources {
  return { milliCpu: Math.max(left.milliCpu, right.milliCpu), memoryBytes: Math.max(left.memoryBytes, right.memoryBytes) };
}

/** True when `need` fits into `have` in every dimension. */
export function fitsInto(need: Resources, have: Resources): boolean {
  return need.milliCpu <= have.milliCpu && need.memoryBytes <= have.memoryBytes;
}
