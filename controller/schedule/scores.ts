/** How well a node suits a task: ranks, the lower the better, compared one after the other. */
import { formatPlacementRule, matches } from '#model/constraint.ts';
import type { PlacementPolicy, PlacementSpec } from '#model/service.ts';
import type { ServiceRequest } from './filters.ts';
import { fragmentation, packRank } from './fragmentation.ts';
import type { RankColumn } from './label-counts.ts';
import type { NodeTable } from './node-table.ts';

/** Labels to be even over; `node` where the service names none and does not pack. */
export function spreadLabels(placement: PlacementSpec): readonly string[] {
  return placement.spread.length === 0 && policyOf(placement) === 'spread' ? ['node'] : placement.spread;
}

export function policyOf({ policy }: PlacementSpec): PlacementPolicy {
  return policy ?? 'spread';
}

/** What the ranks of `rankNode` say, one name each. */
export function rankNames(placement: PlacementSpec): readonly string[] {
  return [
    ...spreadLabels(placement).map(label => `fewer of its tasks on the same ${label}`), 'preferred labels', 'the slot was there before',
    'no devices that others need', `${policyOf(placement) === 'spread' ? 'more room' : 'fewer devices left useless, used ones first, less room left over'}, an image to be fetched counted as a tenth of the node`,
  ];
}

/** Ranks of a node, most important first: even over each spread label, wishes, where the slot was before, devices left alone, room. */
export function rankNode(table: NodeTable, request: ServiceRequest, row: number, slot: number): readonly number[] {
  const { placement } = request.service.spec;
  return [
    ...spreadLabels(placement).map(label => request.current.count(label, row)),
    unmetWishes(table, request, row),
    table.rowOf(request.previous.get(slot) ?? table.node(row).id) === row && request.previous.has(slot) ? 0 : 1,
    spareDevices(table, request, row),
    roomRank(table, request, row),
  ];
}

/** True when `left` is better than `right`; equal ranks are not. */
export function isBetter(left: readonly number[], right: readonly number[]): boolean {
  const index = left.findIndex((rank, at) => rank !== right[at]);
  return index >= 0 && (left[index] ?? 0) < (right[index] ?? 0);
}

/**
 * The ranks before room as columns, without those in which no two nodes can differ while the call places.
 *
 * @param isMany  more than one slot is placed, so that even a first one makes counts differ
 */
export function rankColumns(table: NodeTable, request: ServiceRequest, { isMany, slot }: { readonly isMany: boolean; readonly slot: number }): readonly RankColumn[] {
  const { placement } = request.service.spec;
  const previous = request.previous.get(slot);
  const devices = request.service.spec.container.deviceRequests.map(one => one.name);
  return [
    ...(isMany || request.current.total > 0 ? spreadLabels(placement).map(label => request.current.column(label)) : []),
    ...wishColumns(table, request),
    ...(previous === undefined ? [] : [columnOf(table, row => (table.node(row).id === previous ? 0 : 1))]),
    ...(table.hasDevices ? [table.column(`spare ${devices.join(' ')}`, () => columnOf(table, row => spareDevices(table, request, row)))] : []),
  ];
}

/** Wishes for labels say the same for every service that has them. */
function wishColumns(table: NodeTable, request: ServiceRequest): readonly RankColumn[] {
  const { prefer } = request.service.spec.placement;
  const make = (): RankColumn => columnOf(table, row => unmetWishes(table, request, row));
  if (request.neighbours.some(one => one.weight !== undefined)) {
    return [make()];
  }
  return prefer.length === 0 ? [] : [table.column(`prefer ${prefer.map(({ rule, weight }) => `${String(weight)} ${formatPlacementRule(rule)}`).join(',')}`, make)];
}

function columnOf(table: NodeTable, rank: (row: number) => number): RankColumn {
  const bucketOf = table.list('identity', () => Int32Array.from(table.nodes, (_, row) => row));
  return { bucketOf, rank: Float64Array.from(table.nodes, (_, row) => rank(row)) };
}

/** Weight of the wishes that the node does not meet. */
function unmetWishes(table: NodeTable, { service, neighbours }: ServiceRequest, row: number): number {
  let unmet = 0;
  for (const { rule, weight } of service.spec.placement.prefer) {
    unmet += matches(rule, table.node(row).labels) ? 0 : weight;
  }
  for (const { weight = 0, kind, label, counts } of neighbours) {
    unmet += (counts.count(label, row) > 0) === (kind === 'near') ? 0 : weight;
  }
  return unmet;
}

/** Named devices of the node that the task does not ask for: others may need what stands beside them. */
function spareDevices(table: NodeTable, { service }: ServiceRequest, row: number): number {
  const asked = service.spec.container.deviceRequests;
  return table.node(row).policy.devices.filter(({ name }) => !asked.some(one => one.name === name)).length;
}

/** Room, and where nodes are filled up their devices before it. Lower is better. */
export function roomRank(table: NodeTable, request: ServiceRequest, row: number): number {
  const room = plainRoomRank(table, request, row);
  return request.isPacking && table.hasDevices ? deviceRank(table, request, row) + room / 4 : room;
}

/** What the placement makes useless of the node's devices, and used ones before idle ones; Infinity where they do not fit. */
function deviceRank(table: NodeTable, { service, requests }: ServiceRequest, row: number): number {
  const room = { milliCpu: table.freeCpu[row] ?? 0, memoryBytes: table.freeMemory[row] ?? 0 };
  const left = { milliCpu: room.milliCpu - requests.milliCpu, memoryBytes: room.memoryBytes - requests.memoryBytes };
  const { demand: { classes } } = table;
  let rank = 0;
  for (const { name, shape } of table.shapes(row)) {
    const asked = service.spec.container.deviceRequests.find(one => one.name === name);
    const taken = asked === undefined ? { after: shape, opens: false } : shape.take(asked);
    if (taken === undefined) {
      return Infinity;
    }
    const growth = fragmentation(taken.after, name, classes, left) - fragmentation(shape, name, classes, room);
    rank += packRank(shape, growth, taken.opens);
  }
  return rank;
}

/**
 * `spread`: the taken share of the scarcer resource once the task is there. `binpack`: what is left then, cpu and memory together, so that the
 * fullest node that fits is best. Images that are not there add what they cost: more than a few per cent of room, and little enough that not all that
 * shares an image piles up where it is.
 */
function plainRoomRank(table: NodeTable, { requests, isPacking, missingImages, imageCount }: ServiceRequest, row: number): number {
  const cpu = share((table.wantedCpu[row] ?? 0) + requests.milliCpu, table.capacityCpu[row] ?? 0);
  const memory = share((table.wantedMemory[row] ?? 0) + requests.memoryBytes, table.capacityMemory[row] ?? 0);
  const toFetch = missingImages === undefined ? 0 : (missingImages[row] ?? 0) / imageCount * IMAGE_COST;
  return (isPacking ? 2 - cpu - memory : Math.max(cpu, memory)) + toFetch;
}

/** Of the room of a node. */
const IMAGE_COST = 0.1;

function share(part: number, whole: number): number {
  return whole === 0 ? 1 : part / whole;
}
