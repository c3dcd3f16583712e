/** The scheduler: which node each missing task goes to, and why none where none fits. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { containersOf } from '#model/companion.ts';
import type { NodeId, ServiceId, TaskId } from '#model/ids.ts';
import type { DeviceUnits } from '#model/task.ts';
import { volumeNames } from '#model/volume.ts';
import { eligibleRows } from './eligible.ts';
import { Failures, homeOf } from './failures.ts';
import type { Failure } from './failures.ts';
import { isPlain, nodeObstacle, taskObstacle } from './filters.ts';
import type { Obstacle, ServiceRequest } from './filters.ts';
import { NodeQueue } from './node-queue.ts';
import { NodeTable } from './node-table.ts';
import { summarize } from './obstacle-summary.ts';
import type { ObstacleSummary } from './obstacle-summary.ts';
import { pickRow } from './pick.ts';
import type { Candidates } from './pick.ts';
import { RoomSearch } from './preempt.ts';
import { Quotas } from './quota.ts';
import { requestFor } from './request.ts';
import { Reservations } from './reservations.ts';
import { rankColumns } from './scores.ts';
import { settlingAmounts } from './settling.ts';
import { turnOrder } from './turn-order.ts';

export interface WantedSlot {
  readonly slot: number;
  /** The only node it may go to (`global`). */
  readonly node?: NodeId;
  /** Where it goes if it fits there, however other nodes rank. */
  readonly preferred?: NodeId;
}

export interface SlotOnNode extends WantedSlot {
  readonly node: NodeId;
}

export interface PendingService {
  readonly service: Service;
  readonly slots: readonly WantedSlot[];
}

export interface Placement {
  readonly service: ServiceId;
  readonly slot: number;
  readonly node: NodeId;
  /** Of the named devices that it asks for. Absent: it asks for none. */
  readonly deviceUnits?: readonly DeviceUnits[];
}

/** Slots of one service that fit nowhere, all for the same reasons. */
export interface Rejection {
  readonly service: ServiceId;
  /** Ascending. */
  readonly slots: readonly number[];
  /** Of one of them: one obstacle a node. */
  readonly obstacles: ObstacleSummary;
  /** It is one of a gang of so many, of which the first `fitting` had fitted. */
  readonly gang?: { readonly size: number; readonly fitting: number };
}

/** A rejected slot that fits on `node` once `victims`, all of lower priority, and what is stopping there anyway have ended. */
export interface Preemption {
  readonly service: ServiceId;
  readonly slot: number;
  readonly node: NodeId;
  readonly victims: readonly TaskId[];
}

/** How many slots fit nowhere. */
export function rejectedSlots(rejections: readonly Rejection[]): number {
  return rejections.reduce((sum, { slots }) => sum + slots.length, 0);
}

export interface Schedule {
  readonly placements: readonly Placement[];
  readonly rejections: readonly Rejection[];
  readonly preemptions: readonly Preemption[];
}

/** What one call knows and decided so far. */
interface Call {
  readonly snapshot: ClusterSnapshot;
  readonly table: NodeTable;
  readonly quotas: Quotas;
  readonly reservations: Reservations;
  readonly placedRows: Map<ServiceId, number[]>;
  /** Tasks that this call told to stop. */
  readonly doomed: Set<TaskId>;
  readonly placements: Placement[];
  readonly rejections: Rejection[];
  readonly preemptions: Preemption[];
  roomSearches: number;
}

/** Slots for which one call looks for tasks of lower priority to stop; a later call continues with the others. */
const MAX_ROOM_SEARCHES = 100;

/**
 * Places slot by slot, services in the order of `turn-order.ts` and slots from the lowest, each on the best node that passes all filters; of equal
 * nodes the one with the lowest id. The same input in any order gives the same answer. `table` is of the same snapshot, and is as it was afterwards.
 */
export function schedule(snapshot: ClusterSnapshot, pending: readonly PendingService[], table = new NodeTable(snapshot)): Schedule {
  const call: Call = {
    snapshot, table, quotas: new Quotas(snapshot), reservations: new Reservations(table), placedRows: new Map(), doomed: new Set(),
    placements: [], rejections: [], preemptions: [], roomSearches: 0,
  };
  table.settle(settlingAmounts(snapshot, node => table.rowOf(node)));
  let group: Group | undefined;
  for (const { one, key, alike } of turnOrder(table, pending)) {
    const request = requestFor(snapshot, table, one.service, call.placedRows);
    call.reservations.turnTo(one.service);
    const { priority, isGang } = one.service.spec.placement;
    if (alike >= QUEUE_FROM && one.slots.length === 1 && isInterchangeable(request, one) && !hasOwnRoom(snapshot, one)) {
      group = group?.key === key && group.priority === priority ? group : { key, priority, queue: makeQueue(call, request, one) };
      placeService(call, request, one, group);
    } else {
      placeService(call, request, one, isAlike(one) ? { queue: makeQueue(call, request, one) } : {});
      // A gang that does not fit gives back what it took: what failed before may fit then.
      group = isGang ? undefined : group;
      request.placed.release();
      request.current.release();
    }
  }
  table.release();
  return { placements: call.placements, rejections: call.rejections, preemptions: call.preemptions };
}

/** Services of one slot that differ in nothing that counts. */
interface Group extends Alike {
  readonly key: string;
  readonly priority: number;
}

/** What slots that are alike share. */
interface Alike {
  readonly queue?: NodeQueue;
  /** Of the first of them that fitted nowhere: what the others take makes it no better. */
  failure?: Failure;
}

/** Room was made for its slot: its turn frees that room. */
function hasOwnRoom({ serviceStatuses }: ClusterSnapshot, { service }: PendingService): boolean {
  return (serviceStatuses.get(service.id)?.value.pending ?? []).some(({ node }) => node !== undefined);
}

/** A slot that no service has. */
const NOWHERE = -1;

function makeQueue({ table }: Call, request: ServiceRequest, { service, slots }: PendingService): NodeQueue {
  return new NodeQueue(table, request, { rows: eligibleRows(table, service), columns: rankColumns(table, request, { isMany: slots.length > 1, slot: NOWHERE }) });
}

/** Slots, or services of one slot, from which a queue of the nodes is quicker than a look at all of them for each. */
const QUEUE_FROM = 16;

/** True when no slot differs from another in where it may go. */
function isAlike({ service, slots }: PendingService): boolean {
  return slots.length >= QUEUE_FROM && !hasData(service) && slots.every(isFree);
}

/** True when nothing but what it asks for tells the service's only task from those of others with the same key. */
function isInterchangeable(request: ServiceRequest, { service, slots }: PendingService): boolean {
  return isPlain(request) && request.previous.size === 0 && request.current.total === 0 && !hasData(service) && slots.every(isFree);
}

/** It may go anywhere. */
function isFree({ node, preferred }: WantedSlot): boolean {
  return node === undefined && preferred === undefined;
}

function hasData({ spec }: Service): boolean {
  return containersOf(spec).some(container => container.volumes.some(mount => mount.kind === 'volume'));
}

function placeService(call: Call, request: ServiceRequest, { service, slots }: PendingService, alike: Alike): void {
  const turn: Turn = {
    call, request, alike, taken: [], failures: new Failures(request),
    candidates: { rows: eligibleRows(call.table, service), columns: rankColumns(call.table, request, { isMany: slots.length > 1, slot: NOWHERE }) },
    firstColumns: rankColumns(call.table, request, { isMany: false, slot: NOWHERE }),
  };
  const { placements, rejections } = call;
  const [firstPlacement, firstRejection] = [placements.length, rejections.length];
  for (const wanted of [...slots].sort((left, right) => left.slot - right.slot)) {
    placeSlot(turn, wanted);
  }
  const [failed] = rejections.slice(firstRejection);
  if (service.spec.placement.isGang && failed !== undefined) {
    const gang = { size: slots.length, fitting: turn.taken.length };
    giveBack(turn);
    placements.length = firstPlacement;
    rejections.length = firstRejection;
    rejections.push({ service: service.id, slots: slots.map(one => one.slot), obstacles: failed.obstacles, gang });
  }
}

/** One service's turn. */
interface Turn {
  readonly call: Call;
  readonly request: ServiceRequest;
  readonly alike: Alike;
  /** For a slot that was nowhere before. */
  readonly candidates: Candidates;
  /** While it has no task yet: none is spread unevenly. */
  readonly firstColumns: Candidates['columns'];
  readonly taken: { readonly row: number; readonly units: readonly DeviceUnits[] }[];
  readonly failures: Failures;
}

/** A slot of a class that failed before fails again: what one turn does only takes room. */
function placeSlot(turn: Turn, wanted: WantedSlot): void {
  const failure = turn.failures.known(wanted) ?? tryToPlace(turn, wanted);
  if (failure !== undefined) {
    failure.slots.push(wanted.slot);
    preempt(turn, wanted, failure);
  }
}

function tryToPlace(turn: Turn, wanted: WantedSlot): Failure | undefined {
  const { call, request: { service }, failures } = turn;
  const gap = call.quotas.gap(service);
  const row = gap === undefined ? chooseRow(turn, wanted) : -1;
  if (row >= 0) {
    const units = count(turn, row, wanted.slot);
    call.placements.push({ service: service.id, slot: wanted.slot, node: call.table.node(row).id, ...(units.length === 0 ? {} : { deviceUnits: units }) });
    return undefined;
  }
  const failure = gap === undefined
    ? failNowhere(turn, wanted)
    : failures.addForAll(summarize(call.table.nodes.map((node): Obstacle => ({ node: node.id, kind: 'quota', ...gap }))));
  // A failure that shares an earlier summary also shares its list of slots.
  if (failure.slots.length === 0) {
    call.rejections.push({ service: service.id, slots: failure.slots, obstacles: failure.obstacles });
  }
  return failure;
}

function failNowhere(turn: Turn, wanted: WantedSlot): Failure {
  const { call, failures, alike, request: { service } } = turn;
  if (alike.failure !== undefined) {
    return failures.addAlike(wanted, alike.failure);
  }
  const failure = failures.add(wanted, call.table.size, () => summarize(obstaclesOf(turn, wanted)));
  // A gang makes no room.
  if (alike.queue !== undefined && !service.spec.placement.isGang && wanted.node === undefined) alike.failure = failure;
  return failure;
}

function chooseRow(turn: Turn, { slot, node, preferred }: WantedSlot): number {
  const row = preferred === undefined ? -1 : bestRow(turn, { slot, node: preferred });
  return row >= 0 ? row : bestRow(turn, { slot, ...(node === undefined ? {} : { node }) });
}

/** By the queue where there is one and the slot was nowhere before; a look at all nodes says the same. */
function bestRow({ call: { table }, request, alike: { queue }, candidates, firstColumns }: Turn, { slot, node }: WantedSlot): number {
  const isNew = !request.previous.has(slot);
  if (queue !== undefined && isNew) {
    return queue.best(request);
  }
  const only = node ?? homeOf(request, slot);
  const rows = only === undefined ? candidates.rows : onlyRow(candidates.rows, table.rowOf(only));
  const columns = isNew ? (request.current.total === 0 ? firstColumns : candidates.columns) : rankColumns(table, request, { isMany: true, slot });
  return pickRow(table, request, { rows, columns }, slot);
}

/** The row, where it is one of the ascending `rows`. */
function onlyRow(rows: Int32Array, row: number | undefined): Int32Array {
  return row !== undefined && rows.includes(row) ? Int32Array.of(row) : new Int32Array(0);
}

/** One obstacle a node; only of the node that the slot may go to, where it may go to one. */
function* obstaclesOf({ call: { table }, request, candidates: { rows: eligible } }: Turn, { slot, node }: WantedSlot): Generator<Obstacle> {
  const only = node === undefined ? undefined : table.rowOf(node);
  const rows = node === undefined ? table.nodes.keys() : only === undefined ? [] : [only];
  let next = 0;
  for (const row of rows) {
    while ((eligible[next] ?? Infinity) < row) next += 1;
    const ofNode = eligible[next] === row ? undefined : nodeObstacle(table.node(row), request.service);
    const obstacle = ofNode ?? taskObstacle(table, request, row, slot);
    if (obstacle !== undefined) yield obstacle;
  }
}

function count({ call, request, taken }: Turn, row: number, slot: number): readonly DeviceUnits[] {
  const { service } = request;
  const units = call.table.take(row, service.spec);
  taken.push({ row, units });
  request.placed.add(row);
  request.current.add(row);
  call.quotas.count(service, 1);
  const rows = call.placedRows.get(service.id) ?? [];
  call.placedRows.set(service.id, rows);
  rows.push(row);
  if (service.spec.kind !== 'global' && hasData(service)) {
    for (const key of volumeNames({ ...service.spec, namespace: service.namespace, volumes: service.volumes }, slot)) {
      request.homes.set(key, call.table.node(row).id);
    }
  }
  return units;
}

function giveBack({ call, request: { service }, taken }: Turn): void {
  taken.forEach(({ row, units }) => { call.table.give(row, service.spec, units); });
  call.quotas.count(service, -taken.length);
  call.placedRows.delete(service.id);
}

/** Where room is being made nothing else is placed in this call. */
function preempt({ call, request }: Turn, { slot, node }: WantedSlot, failure: Failure): void {
  const { service } = request;
  if (failure.room.isFinal || service.spec.placement.isGang || call.roomSearches >= MAX_ROOM_SEARCHES) {
    return;
  }
  call.roomSearches += 1;
  failure.room.search ??= new RoomSearch(call.snapshot, call.table, request);
  const found = failure.room.search.find({ slot, doomed: call.doomed, ...(node === undefined ? {} : { node }) }, call.placements.length + call.preemptions.length);
  if (found === undefined) {
    failure.room.isFinal = true;
    return;
  }
  found.victims.forEach(victim => call.doomed.add(victim));
  call.table.take(found.row, service.spec);
  call.preemptions.push({ service: service.id, slot, node: call.table.node(found.row).id, victims: found.victims });
}
