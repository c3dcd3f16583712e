/** Nodes of slots whose turn comes later in a rollout: chosen when its Revision is first seen, so that they do not hang on how fast others are. */
import type { PlannedSlot, Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { schedule } from '../schedule/schedule.ts';
import type { Placement } from '../schedule/schedule.ts';
import { PaperCluster } from './paper-cluster.ts';
import type { PlanContext } from './plan-context.ts';
import { isStopFirst } from './slot-plan.ts';
import type { SlotCreate, SlotPlan, WantedSlot } from './slot-plan.ts';
import { isLive, isUpToDate } from './task-row.ts';
import type { ServiceState } from './task-row.ts';

/** A status holds no more of them, and a look places no more ahead: slots beyond choose at their turn. */
export const MAX_PLANNED = 200;

interface FirstLook {
  readonly wanted: readonly WantedSlot[];
  /** What this look places. */
  readonly placements: readonly Pick<Placement, 'slot' | 'node'>[];
}

/**
 * Ascending by slot: the first of those that get a task later. A slot that fits nowhere now has none, and a rollout that is known keeps what was
 * chosen. Promised is the choice, not the room: at its turn a slot that does not fit there any more goes elsewhere.
 */
export function plannedSlots(snapshot: ClusterSnapshot, state: ServiceState, { wanted, placements }: FirstLook, { table, nowMs }: Pick<PlanContext, 'table' | 'nowMs'>): readonly PlannedSlot[] {
  const { service, status, rows } = state;
  if (status?.rollout.revision === service.revision) {
    return status.planned ?? [];
  }
  const served = new Set(rows.filter(row => isLive(row) && isUpToDate(row, service)).map(row => row.task.slot));
  const later = wanted.filter(({ slot }) => !served.has(slot)).slice(0, MAX_PLANNED);
  const placed = new Set(placements.map(one => one.slot));
  if (!choosesAhead(service) || later.every(({ slot }) => placed.has(slot))) {
    return [];
  }
  const paper = withoutOutdated(snapshot, state, nowMs);
  const slots = later.map(({ slot }) => preferring({ slot }, placements));
  const chosen = schedule(paper ?? snapshot, [{ service, slots }], paper === undefined ? table?.() : undefined).placements;
  return chosen.filter(({ slot }) => !placed.has(slot)).map(({ slot, node }) => ({ slot, node })).sort((left, right) => left.slot - right.slot);
}

function choosesAhead({ spec: { kind, placement } }: Service): boolean {
  return (kind === 'service' || kind === 'stateful') && !placement.isGang;
}

/** As it is once tasks that end before their replacements start have ended; their data stays. Undefined: there are none. */
function withoutOutdated(snapshot: ClusterSnapshot, { service, rows }: ServiceState, nowMs: number): ClusterSnapshot | undefined {
  const outdated = isStopFirst(service) ? rows.filter(row => isLive(row) && !isUpToDate(row, service)) : [];
  const paper = outdated.length === 0 ? undefined : new PaperCluster(snapshot);
  for (const { task, status } of outdated) {
    paper?.report({ id: task.id, node: task.node, attempt: 1, health: 'none', reason: '', message: '', restarts: 0, isPaused: false, ...status, phase: 'complete', finishedAtMs: nowMs });
  }
  return paper?.snapshot;
}

/** The creates with the nodes that were chosen for them. */
export function preferPlanned(plan: SlotPlan, { service, status }: ServiceState): SlotPlan {
  const planned = status?.rollout.revision === service.revision ? status.planned ?? [] : [];
  return planned.length === 0 ? plan : { ...plan, creates: plan.creates.map((one): SlotCreate => (one.isOld === true || one.node !== undefined ? one : preferring(one, planned))) };
}

function preferring<Slot extends { readonly slot: number }>(one: Slot, planned: readonly PlannedSlot[]): Slot & Pick<SlotCreate, 'preferred'> {
  const node = planned.find(({ slot }) => slot === one.slot)?.node;
  return node === undefined ? one : { ...one, preferred: node };
}
