/** Slots that get a node, those that wait, and the tasks of lower priority that make room for them. */
import type { PendingSlot, Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { TaskId } from '#model/ids.ts';
import { explainRejection } from '../schedule/explain.ts';
import type { NodeTable } from '../schedule/node-table.ts';
import { schedule } from '../schedule/schedule.ts';
import type { Placement, Preemption, Rejection } from '../schedule/schedule.ts';
import type { PlannedEvent } from './plan.ts';
import type { SlotCreate, SlotPlan } from './slot-plan.ts';

/** Why a task stops that gives its place to one of higher priority. Older controllers wrote `preempted` alone. */
export function preemptedReason({ id, spec }: Service): string {
  return `preempted by service/${id}, which has priority ${String(spec.placement.priority)}`;
}

export interface Placed {
  readonly placements: readonly (Placement & { readonly reason: string; readonly of: Service })[];
  readonly pending: readonly PendingSlot[];
  /** Tasks that are to stop. */
  readonly evictions: readonly TaskId[];
  readonly events: readonly PlannedEvent[];
}

export const NOTHING_PLACED: Placed = { placements: [], pending: [], evictions: [], events: [] };

/** What tasks are made from: the service, or what it was before the rollout. */
export interface Makers {
  readonly service: Service;
  readonly before: Service;
}

/**
 * Slots of the old template before those of the new; the new ones wait for the next look where an old one takes a place, or waits for one that
 * is being made: two requests of one service would not see what the other takes. At most `createLimit` slots, in their order of importance.
 * Room is made only for slots within it; what is made stays theirs by the pending slot's node until they are placed.
 *
 * @param table  of the same snapshot, where one is kept
 */
export function placeSlots(snapshot: ClusterSnapshot, { creates, createLimit }: Pick<SlotPlan, 'creates' | 'createLimit'>, { service, before }: Makers, table?: () => NodeTable): Placed {
  const old = placeTemplate(snapshot, { of: before, offered: creates.filter(one => one.isOld === true), createLimit }, table);
  const isTaking = old.placements.length > 0 || old.pending.some(one => one.node !== undefined);
  const young = isTaking ? NOTHING_PLACED : placeTemplate(snapshot, { of: service, offered: creates.filter(one => one.isOld !== true), createLimit }, table);
  const oldPending = new Set(old.pending.map(one => one.slot));
  return {
    placements: [...old.placements, ...young.placements], evictions: [...old.evictions, ...young.evictions], events: [...old.events, ...young.events],
    pending: [...old.pending, ...young.pending.filter(one => !oldPending.has(one.slot))].sort((left, right) => left.slot - right.slot),
  };
}

interface Offer {
  readonly of: Service;
  readonly offered: readonly SlotCreate[];
  readonly createLimit: number;
}

function placeTemplate(snapshot: ClusterSnapshot, { of, offered, createLimit }: Offer, table: (() => NodeTable) | undefined): Placed {
  // A gang starts all or none of what it is asked for: that is what may start now.
  const creates = of.spec.placement.isGang ? offered.slice(0, createLimit) : offered;
  if (creates.length === 0) {
    return NOTHING_PLACED;
  }
  const { placements, rejections, preemptions } = schedule(snapshot, [{ service: of, slots: creates }], table?.());
  const places = new Map(creates.map((one, place) => [one.slot, { place, reason: one.reason }]));
  const placeOf = (slot: number): number => places.get(slot)?.place ?? 0;
  const chosen = [...placements].sort((left, right) => placeOf(left.slot) - placeOf(right.slot)).slice(0, createLimit);
  const granted = preemptions.filter(one => placeOf(one.slot) < createLimit);
  const roomOf = new Map(granted.map(one => [one.slot, one]));
  return {
    placements: chosen.map(one => ({ ...one, of, reason: places.get(one.slot)?.reason ?? '' })),
    pending: rejections.flatMap(one => pendingSlots(one, roomOf)),
    evictions: granted.flatMap(one => one.victims),
    events: granted.flatMap(one => one.victims.map(victim => preemptedEvent(victim, one, of))),
  };
}

function pendingSlots(rejection: Rejection, roomOf: ReadonlyMap<number, Preemption>): readonly PendingSlot[] {
  const reason = explainRejection(rejection);
  return rejection.slots.map(slot => {
    const node = roomOf.get(slot)?.node;
    return node === undefined ? { slot, reason } : { slot, reason: `${reason}; waits for tasks of lower priority to stop on ${node}`, node };
  });
}

function preemptedEvent(victim: TaskId, { slot }: Preemption, { id, spec }: Service): PlannedEvent {
  return { type: 'warning', object: `task/${victim}`, reason: 'Preempted', message: `stops for slot ${String(slot)} of service/${id}, which has priority ${String(spec.placement.priority)}` };
}
