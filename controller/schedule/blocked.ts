/** Slots of a service that do not all fit, and everything that keeps the first of those that do not off each node. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { volumeNames } from '#model/volume.ts';
import { allObstacles } from './filters.ts';
import type { Obstacle, ServiceRequest } from './filters.ts';
import { NodeTable } from './node-table.ts';
import { Quotas } from './quota.ts';
import { requestFor } from './request.ts';
import { Reservations, roomHeldAgainst } from './reservations.ts';
import { rejectedSlots, schedule } from './schedule.ts';
import type { Placement, SlotOnNode, WantedSlot } from './schedule.ts';

/** A node with all that speaks against it; where nothing does, the slot waits for the rest of its gang. */
export interface BlockedNode {
  readonly node: Node;
  readonly obstacles: readonly Obstacle[];
}

export interface Blocked {
  readonly snapshot: ClusterSnapshot;
  readonly service: Service;
  readonly slots: readonly WantedSlot[];
  /** Of `snapshot`, as that has it. */
  readonly table: NodeTable;
  /** The first slot that finds no place once those before it have theirs. */
  readonly first: WantedSlot;
  /** Slots that find no place. */
  readonly missing: number;
  /** For `first`; only the one that it may go to, where it may go to one. */
  readonly nodes: readonly BlockedNode[];
}

/** Undefined when all of them fit. Of a gang each slot counts for itself. */
export function findBlocked(snapshot: ClusterSnapshot, service: Service, slots: readonly WantedSlot[]): Blocked | undefined {
  const table = new NodeTable(snapshot);
  const each = { ...service, spec: { ...service.spec, placement: { ...service.spec.placement, isGang: false } } };
  const { placements, rejections } = schedule(snapshot, [{ service: each, slots }], table);
  const first = slots.find(one => one.slot === rejections[0]?.slots[0]);
  if (first === undefined) {
    return undefined;
  }
  const nodes = nodesFor(snapshot, table, { service, placements, wanted: first });
  return { snapshot, service, slots, table, first, missing: rejectedSlots(rejections), nodes };
}

/** What keeps the task of the slot off one node, its namespace's quota and room that others wait for included. */
export function obstaclesOn(snapshot: ClusterSnapshot, service: Service, { slot, node }: SlotOnNode): readonly Obstacle[] {
  return nodesFor(snapshot, new NodeTable(snapshot), { service, placements: [], wanted: { slot, node } }).flatMap(one => one.obstacles);
}

interface Look {
  readonly service: Service;
  /** Of earlier slots of the service. */
  readonly placements: readonly Placement[];
  readonly wanted: WantedSlot;
}

/** The table is as it was afterwards. */
function nodesFor(snapshot: ClusterSnapshot, table: NodeTable, { service, placements, wanted }: Look): readonly BlockedNode[] {
  const request = requestFor(snapshot, table, service);
  const quotas = new Quotas(snapshot);
  placements.forEach(one => { place(table, request, one); });
  quotas.count(service, placements.length);
  const gap = quotas.gap(service);
  const rows = table.nodes.map((node, row) => ({ node, row })).filter(({ node }) => wanted.node === undefined || wanted.node === node.id);
  const open = rows.map(({ row }) => allObstacles(table, request, row, wanted.slot));
  new Reservations(table).turnTo(service);
  const nodes = rows.map(({ node, row }, index): BlockedNode => ({
    node, obstacles: [
      ...(gap === undefined ? [] : [{ node: node.id, kind: 'quota', ...gap } as const]),
      ...open[index] ?? [],
      ...reserved(table, service, { node: node.id, open: open[index] ?? [], held: allObstacles(table, request, row, wanted.slot) }),
    ],
  }));
  table.release();
  return nodes;
}

function place(table: NodeTable, request: ServiceRequest, { slot, node }: Placement): void {
  const { service } = request;
  const row = table.rowOf(node) ?? 0;
  table.take(row, service.spec);
  request.placed.add(row);
  request.current.add(row);
  for (const key of service.spec.kind === 'global' ? [] : volumeNames({ ...service.spec, namespace: service.namespace, volumes: service.volumes }, slot)) {
    request.homes.set(key, node);
  }
}

/** Of the node, what is in the way only because room is being made there for another. */
function reserved(table: NodeTable, service: Service, { node, open, held }: { readonly node: NodeId; readonly open: readonly Obstacle[]; readonly held: readonly Obstacle[] }): readonly Obstacle[] {
  const holder = roomHeldAgainst(table, service, node);
  const isOnlyHeld = held.some(one => !open.some(other => other.kind === one.kind));
  return holder === undefined || !isOnlyHeld ? [] : [{ node, kind: 'reserved', service: holder.id, priority: holder.spec.placement.priority }];
}
