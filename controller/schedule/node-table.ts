/** What every node has and what is taken of it, in columns: row after row in the order of node ids. */
import { TASK_ADDRESSES } from '#model/addressing.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { requestsOf } from '#model/companion.ts';
import type { ContainerSet } from '#model/companion.ts';
import type { NodeId, ServiceId, TaskId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import type { Resources } from '#model/resources.ts';
import type { DeviceUnits, Task } from '#model/task.ts';
import { WHOLE, chooseUnits, freeUnits, takeUnits } from '#model/device-share.ts';
import { DeviceDemand } from './device-demand.ts';
import { ImageRows, digestsOf } from './image-rows.ts';
import { claimsBy } from './claims.ts';
import type { Claim } from './claims.ts';
import type { RankColumn } from './label-counts.ts';
import { hostPortsOf, unfinishedTasksOn } from './node-load.ts';
import { Priorities } from './priorities.ts';
import type { SettlingAmount } from './settling.ts';
import { SharedShapes } from './unit-shape.ts';
import type { UnitShape } from './unit-shape.ts';

/** Bucket of each row by its value of one label, and how many buckets there are. A node without the label has the value ''. */
export interface LabelBuckets {
  readonly bucketOf: Int32Array;
  readonly size: number;
}

interface DeviceShape {
  readonly name: string;
  readonly shape: UnitShape;
}

interface Counting {
  readonly isWanted: boolean;
  /** -1 takes back. */
  readonly sign: 1 | -1;
  /** Absent: the best are chosen. */
  readonly units?: readonly DeviceUnits[];
}

/** What changed since the table was made or refreshed. */
export interface TableChange {
  readonly nodes: Iterable<NodeId>;
  readonly services: Iterable<ServiceId>;
}

/**
 * 1. A row is the sum over the unfinished tasks of its node, and what one call placed there; `release` undoes the latter. 2. `refresh` with all
 * that changed makes the table equal to a new one. 3. Tasks that are to stop count as taken until they ended, and not as wanted.
 */
export class NodeTable {
  #snapshot: ClusterSnapshot;
  nodes: readonly Node[] = [];
  #rowOf = new Map<NodeId, number>();
  capacityCpu = new Float64Array(0);
  capacityMemory = new Float64Array(0);
  /** The most that any node has, at least 1. */
  largest: Resources = { milliCpu: 1, memoryBytes: 1 };
  freeCpu = new Float64Array(0);
  freeMemory = new Float64Array(0);
  freeDisk = new Float64Array(0);
  freePids = new Float64Array(0);
  /** One a task; below 0 where more are there than addresses. */
  freeAddresses = new Float64Array(0);
  /** Of what tasks that are to stay ask for: what stops soon does not make a node worse. */
  wantedCpu = new Float64Array(0);
  wantedMemory = new Float64Array(0);
  hostPorts: Set<string>[] = [];
  /** Free thousandths of each unit, by device name. */
  devices: Map<string, number[]>[] = [];
  #shapes: (readonly DeviceShape[] | undefined)[] = [];
  readonly #sharedShapes = new SharedShapes();
  hasDevices = false;
  /** What the services of the snapshot ask for, where nodes have devices. */
  readonly demand = new DeviceDemand();
  /** Of tasks that are to stay, as `wantedCpu`; what one call places does not count. */
  readonly images = new ImageRows();
  /** Of the services of the snapshot. */
  readonly priorities = new Priorities();
  readonly #claims = new Map<ServiceId, readonly Claim[]>();
  #claimList: readonly Claim[] | undefined;
  #buckets = new Map<string, LabelBuckets>();
  /** What a function said of every row; it stands until a node's record changes. */
  #masks = new Map<string, Uint8Array>();
  #lists = new Map<string, Int32Array>();
  #columns = new Map<string, RankColumn>();
  #spare = new Map<string, Float64Array[]>();
  readonly #units = new Map<TaskId, readonly DeviceUnits[]>();
  readonly #touched = new Set<number>();
  #settling: readonly SettlingAmount[] = [];

  constructor(snapshot: ClusterSnapshot) {
    this.#snapshot = snapshot;
    this.#load();
  }

  get size(): number {
    return this.nodes.length;
  }

  rowOf(node: NodeId): number | undefined {
    return this.#rowOf.get(node);
  }

  node(row: number): Node {
    const node = this.nodes[row];
    if (node === undefined) {
      throw new RangeError(`the table has no row ${String(row)}`);
    }
    return node;
  }

  free(row: number): Required<Resources> {
    return { milliCpu: this.freeCpu[row] ?? 0, memoryBytes: this.freeMemory[row] ?? 0, diskBytes: this.freeDisk[row] ?? 0, pids: this.freePids[row] ?? 0 };
  }

  /** Follows the snapshot: where nodes came or went all rows are made anew, else those of the nodes that changed. */
  refresh(snapshot: ClusterSnapshot, change: TableChange): void {
    this.#snapshot = snapshot;
    const ids = [...change.nodes];
    const isSame = snapshot.nodes.size === this.size && ids.every(id => this.#rowOf.has(id) && snapshot.nodes.has(id));
    if (!isSame) {
      this.#load();
      return;
    }
    const renewed = ids.filter(id => !this.#isKnown(id));
    if (renewed.length > 0 && !this.#renew(renewed)) {
      this.#load();
      return;
    }
    ids.forEach(id => { this.#loadRow(this.#rowOf.get(id) ?? 0); });
    for (const service of change.services) {
      this.#loadClaims(service);
    }
  }

  /** What others keep off, in order of the services that do. */
  get claims(): readonly Claim[] {
    this.#claimList ??= [...this.#claims].sort(([left], [right]) => (left < right ? -1 : 1)).flatMap(([, claims]) => claims);
    return this.#claimList;
  }

  buckets(label: string): LabelBuckets {
    const known = this.#buckets.get(label);
    if (known !== undefined) {
      return known;
    }
    const numbers = new Map<string, number>();
    const bucketOf = Int32Array.from(this.nodes, node => {
      const value = node.labels.get(label) ?? '';
      const bucket = numbers.get(value) ?? numbers.size;
      numbers.set(value, bucket);
      return bucket;
    });
    const made = { bucketOf, size: numbers.size };
    this.#buckets.set(label, made);
    return made;
  }

  /** What is free of the row's devices now. */
  shapes(row: number): readonly DeviceShape[] {
    const known = this.#shapes[row] ?? [...this.devices[row] ?? []].map(([name, units]) => ({ name, shape: this.#sharedShapes.of(units) }));
    this.#shapes[row] = known;
    return known;
  }

  /** Zeros, one for each bucket of the label, until they are given back as zeros. */
  borrow(label: string): Float64Array {
    return this.#spare.get(label)?.pop() ?? new Float64Array(this.buckets(label).size);
  }

  giveBack(label: string, zeros: Float64Array): void {
    const spare = this.#spare.get(label) ?? [];
    this.#spare.set(label, spare);
    spare.push(zeros);
  }

  /** 1 for each row that `holds` says yes to; asked once for each `key`. */
  mask(key: string, holds: (node: Node) => boolean): Uint8Array {
    const known = this.#masks.get(key);
    if (known !== undefined) {
      return known;
    }
    const made = new Uint8Array(this.size);
    this.nodes.forEach((node, row) => { made[row] = holds(node) ? 1 : 0; });
    this.#masks.set(key, made);
    return made;
  }

  /** A list of rows that `make` makes; once for each `key`. */
  list(key: string, make: () => Int32Array): Int32Array {
    const known = this.#lists.get(key) ?? make();
    this.#lists.set(key, known);
    return known;
  }

  /** Ranks that stand until a node's record changes; made once for each `key`. */
  column(key: string, make: () => RankColumn): RankColumn {
    const known = this.#columns.get(key) ?? make();
    this.#columns.set(key, known);
    return known;
  }

  /** Counts something in until `release`; says which units of devices it gets. */
  take(row: number, set: ContainerSet): readonly DeviceUnits[] {
    this.#touched.add(row);
    return this.#count(row, set, { isWanted: true, sign: 1 });
  }

  /** As `take`, with units that are known. */
  put(row: number, set: ContainerSet, units: readonly DeviceUnits[]): void {
    this.#touched.add(row);
    this.#count(row, set, { isWanted: true, sign: 1, units });
  }

  /** Takes back what `take` counted in, or until `release` what a task of the snapshot has. */
  give(row: number, set: ContainerSet, units: readonly DeviceUnits[]): void {
    this.#touched.add(row);
    this.#count(row, set, { isWanted: true, sign: -1, units });
  }

  /** Units of devices that an unfinished task of the snapshot counts as having. */
  unitsOf(task: TaskId): readonly DeviceUnits[] {
    return this.#units.get(task) ?? [];
  }

  /** Counts what rollouts will leave into what is wanted, until `release`. */
  settle(amounts: readonly SettlingAmount[]): void {
    this.#addSettling(amounts, 1);
    this.#settling = amounts;
  }

  #addSettling(amounts: readonly SettlingAmount[], sign: 1 | -1): void {
    for (const { row, milliCpu, memoryBytes, images } of amounts) {
      add(this.wantedCpu, row, sign * milliCpu);
      add(this.wantedMemory, row, sign * memoryBytes);
      images.forEach((tasks, digest) => { this.images.add(row, digest, sign * tasks); });
    }
  }

  /** The rows as the snapshot has them. */
  release(): void {
    this.#addSettling(this.#settling, -1);
    this.#settling = [];
    this.#touched.forEach(row => { this.#loadRow(row); });
    this.#touched.clear();
  }

  tasksOn(row: number): readonly Task[] {
    return unfinishedTasksOn(this.#snapshot, this.node(row).id);
  }

  #isKnown(id: NodeId): boolean {
    const row = this.#rowOf.get(id);
    return row !== undefined && this.nodes[row] === this.#snapshot.nodes.get(id)?.value;
  }

  /** Takes new records of nodes; false where rows of others follow from them too. */
  #renew(ids: readonly NodeId[]): boolean {
    const nodes = [...this.nodes];
    for (const id of ids) {
      const [row, node] = [this.#rowOf.get(id) ?? 0, this.#snapshot.nodes.get(id)?.value];
      if (node !== undefined) nodes[row] = node;
    }
    if (nodes.some(hasDevices) !== this.hasDevices) return false;
    this.nodes = nodes;
    this.#readNodes();
    return true;
  }

  /** What follows from the records of the nodes alone. */
  #readNodes(): void {
    this.capacityCpu = Float64Array.from(this.nodes, ({ capacity }) => capacity.milliCpu);
    this.capacityMemory = Float64Array.from(this.nodes, ({ capacity }) => capacity.memoryBytes);
    this.largest = { milliCpu: most(this.capacityCpu), memoryBytes: most(this.capacityMemory) };
    this.hasDevices = this.nodes.some(hasDevices);
    this.#buckets = new Map();
    this.#masks = new Map();
    this.#lists = new Map();
    this.#columns = new Map();
    this.#spare = new Map();
  }

  #load(): void {
    this.nodes = [...this.#snapshot.nodes.values()].map(({ value }) => value).sort((left, right) => (left.id < right.id ? -1 : 1));
    this.#rowOf = new Map(this.nodes.map((node, row) => [node.id, row]));
    const column = (): Float64Array<ArrayBuffer> => new Float64Array(this.size);
    [this.freeCpu, this.freeMemory, this.freeDisk, this.freePids, this.freeAddresses] = [column(), column(), column(), column(), column()];
    [this.wantedCpu, this.wantedMemory] = [column(), column()];
    this.#readNodes();
    this.hostPorts = this.nodes.map(() => new Set());
    this.devices = this.nodes.map(() => new Map<string, number[]>());
    this.#shapes = this.nodes.map(() => undefined);
    this.#units.clear();
    this.images.clear();
    this.nodes.forEach((_, row) => { this.#loadRow(row); });
    this.#claims.clear();
    this.demand.clear();
    this.priorities.clear();
    this.#claimList = undefined;
    for (const service of this.#snapshot.services.keys()) {
      this.#loadClaims(service);
    }
  }

  #loadClaims(service: ServiceId): void {
    const value = this.#snapshot.services.get(service)?.value;
    if (this.hasDevices) this.demand.set(service, value);
    this.priorities.set(service, value?.spec.placement.priority);
    const claims = claimsBy(this.#snapshot, service);
    const isGone = this.#claims.delete(service);
    if (claims.length > 0) {
      this.#claims.set(service, claims);
    }
    if (isGone || claims.length > 0) {
      this.#claimList = undefined;
    }
  }

  #loadRow(row: number): void {
    this.#clearRow(row);
    this.tasksOn(row).forEach(task => { this.#countTask(row, task); });
  }

  #clearRow(row: number): void {
    const { capacity, pids, policy } = this.node(row);
    this.freeCpu[row] = capacity.milliCpu;
    this.freeMemory[row] = capacity.memoryBytes;
    this.freeDisk[row] = capacity.diskBytes ?? Infinity;
    this.freePids[row] = capacity.pids ?? (pids > 0 ? pids : Infinity);
    this.freeAddresses[row] = TASK_ADDRESSES;
    this.wantedCpu[row] = 0;
    this.wantedMemory[row] = 0;
    this.hostPorts[row]?.clear();
    this.images.clearRow(row);
    this.#shapes[row] = undefined;
    this.devices[row] = new Map(policy.devices.map(device => [device.name, freeUnits(device.count)]));
  }

  #countTask(row: number, task: Task): void {
    const units = this.#count(row, task, { isWanted: task.desired === 'run', sign: 1, ...(task.deviceUnits === undefined ? {} : { units: task.deviceUnits }) });
    if (units.length > 0) {
      this.#units.set(task.id, units);
    }
    if (task.desired === 'run') {
      digestsOf(task).forEach(digest => { this.images.add(row, digest, 1); });
    }
  }

  #count(row: number, set: ContainerSet, how: Counting): readonly DeviceUnits[] {
    const needs = requestsOf(set);
    const { sign } = how;
    add(this.freeCpu, row, -sign * needs.milliCpu);
    add(this.freeMemory, row, -sign * needs.memoryBytes);
    add(this.freeDisk, row, -sign * (needs.diskBytes ?? 0));
    add(this.freePids, row, -sign * (needs.pids ?? 0));
    add(this.freeAddresses, row, -sign);
    if (how.isWanted) {
      add(this.wantedCpu, row, sign * needs.milliCpu);
      add(this.wantedMemory, row, sign * needs.memoryBytes);
    }
    if (set.container.ports.length > 0) {
      const ports = this.hostPorts[row];
      hostPortsOf(set.container).forEach(port => (sign > 0 ? ports?.add(port) : ports?.delete(port)));
    }
    return set.container.deviceRequests.length === 0 ? NO_UNITS : this.#countDevices(row, set, how);
  }

  #countDevices(row: number, { container }: ContainerSet, { sign, units }: Counting): readonly DeviceUnits[] {
    this.#shapes[row] = undefined;
    return container.deviceRequests.map(request => {
      const free = this.devices[row]?.get(request.name) ?? [];
      const chosen = units?.find(one => one.name === request.name)?.units ?? chooseUnits(free, request) ?? [];
      takeUnits(free, chosen, (request.milli ?? WHOLE) * sign);
      return { name: request.name, units: chosen };
    });
  }
}

const NO_UNITS: readonly DeviceUnits[] = [];

function hasDevices({ policy }: Node): boolean {
  return policy.devices.length > 0;
}

function add(column: Float64Array, row: number, amount: number): void {
  column[row] = (column[row] ?? 0) + amount;
}

function most(column: Float64Array): number {
  return column.reduce((largest, value) => Math.max(largest, value), 1);
}
