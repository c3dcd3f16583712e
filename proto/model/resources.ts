/** Amounts a node has or a task asks for. Units live in the names. */
export interface Resources {
  /** Thousandths of a core. */
  readonly milliCpu: number;
  readonly memoryBytes: number;
  /** Of the disk that the node keeps its state on. Absent: none asked for; of a node: not known, and not limited. */
  readonly diskBytes?: number;
  /** Processes; absent as with the disk. */
  readonly pids?: number;
}

export const NO_RESOURCES: Resources = { milliCpu: 0, memoryBytes: 0 };

export function addResources(left: Resources, right: Resources): Resources {
  return combine(left, right, (one, other) => one + other);
}

/** What is left; what `left` does not limit is not limited. */
export function subtractResources(left: Resources, right: Resources): Resources {
  return {
    milliCpu: left.milliCpu - right.milliCpu, memoryBytes: left.memoryBytes - right.memoryBytes,
    ...(left.diskBytes === undefined ? {} : { diskBytes: left.diskBytes - (right.diskBytes ?? 0) }),
    ...(left.pids === undefined ? {} : { pids: left.pids - (right.pids ?? 0) }),
  };
}

/** The larger in each dimension. */
export function largerResources(left: Resources, right: Resources): Resources {
  return combine(left, right, Math.max);
}

function combine(left: Resources, right: Resources, merge: (one: number, other: number) => number): Resources {
  const extra = (key: 'diskBytes' | 'pids'): Partial<Resources> =>
    (left[key] === undefined && right[key] === undefined ? {} : { [key]: merge(left[key] ?? 0, right[key] ?? 0) });
  return {
    milliCpu: merge(left.milliCpu, right.milliCpu), memoryBytes: merge(left.memoryBytes, right.memoryBytes), ...extra('diskBytes'), ...extra('pids'),
  };
}

/** True when `need` fits into `have` in every dimension. */
export function fitsInto(need: Resources, have: Resources): boolean {
  return need.milliCpu <= have.milliCpu && need.memoryBytes <= have.memoryBytes
    && (need.diskBytes ?? 0) <= (have.diskBytes ?? Infinity) && (need.pids ?? 0) <= (have.pids ?? Infinity);
}

/** What the control group holds a container to. */
export interface Limits {
  /** Absent: no limit. */
  readonly milliCpu?: number;
  readonly memoryBytes: number;
  readonly pids: number;
  /** The cpus that it may run on, as `0-1,3`; absent: all of its node. */
  readonly cpuset?: string;
  /** Swap beyond its memory; absent: none. */
  readonly swapBytes?: number;
  readonly io?: IoLimits;
  /** Of what the container writes into its root file system; absent: none. */
  readonly storageBytes?: number;
  /** Smallest page first, each once. Absent: no huge pages. */
  readonly hugepages?: readonly HugepageLimit[];
}

/** Most memory in huge pages of one size. */
export interface HugepageLimit {
  readonly pageBytes: number;
  readonly bytes: number;
}

/** Of the disk that the node keeps its state on. Absent: no limit, and the usual weight (100). */
export interface IoLimits {
  /** Share of a disk that is contended, 10..1000; a container without one has 100. */
  readonly weight?: number;
  readonly readBps?: number;
  readonly writeBps?: number;
  readonly readIops?: number;
  readonly writeIops?: number;
}

/** The part of a container that changes while it runs. */
export interface TaskResources {
  readonly requests: Resources;
  readonly limits: Limits;
}

/** What is to change of a container's resources; absent fields stay. 0 cpus, an empty cpuset and 0 of an io limit take the limit away. */
export interface ResourceChange {
  readonly milliCpu?: number;
  readonly memoryBytes?: number;
  readonly pids?: number;
  readonly cpuset?: string;
  readonly swapBytes?: number;
  readonly io?: IoLimits;
  readonly requestMilliCpu?: number;
  readonly requestMemoryBytes?: number;
}

/** Only that part, of whatever has it. */
export function resourcesOf({ requests, limits }: TaskResources): TaskResources {
  return { requests, limits };
}

/** By what asks for them: plans ask for the key of a service once for each of its tasks. */
const KEYS = new WeakMap<TaskResources, string>();

/** Equal exactly for equal resources, whatever order their fields have. */
export function resourcesKey(resources: TaskResources): string {
  const known = KEYS.get(resources);
  if (known !== undefined) {
    return known;
  }
  const key = newResourcesKey(resources);
  KEYS.set(resources, key);
  return key;
}

function newResourcesKey({ requests, limits }: TaskResources): string {
  const { milliCpu, memoryBytes, pids, cpuset, swapBytes, io, storageBytes, hugepages = [] } = limits;
  const common = [
    requests.milliCpu, requests.memoryBytes, milliCpu, memoryBytes, pids, cpuset, swapBytes, io?.weight, io?.readBps, io?.writeBps, io?.readIops, io?.writeIops,
  ].map(amount => (amount === undefined ? '-' : String(amount))).join('/');
  // Added only where they are, so that keys of older tasks stay equal.
  const disk = requests.diskBytes === undefined ? '' : `/disk=${String(requests.diskBytes)}`;
  const storage = storageBytes === undefined ? '' : `/storage=${String(storageBytes)}`;
  const pages = hugepages.map(({ pageBytes, bytes }) => `/pages-${String(pageBytes)}=${String(bytes)}`).join('');
  return `${common}${disk}${storage}${requests.pids === undefined ? '' : `/pids=${String(requests.pids)}`}${pages}`;
}
