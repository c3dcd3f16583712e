/** Pending slots as a service status keeps them: examples, and how many there are. */
import type { PendingSlot, ServiceStatus } from '#model/app.ts';
import type { PlannedEvent } from './plan.ts';

/** Slots that a status lists. */
export const MAX_LISTED = 100;
/** A longer reason is cut. */
const MAX_REASON_CHARS = 1_024;
/** Slots that an event names, and events that one plan makes of pending slots. */
const MAX_NAMED = 3;
const MAX_EVENTS = 10;

type PendingPart = Pick<ServiceStatus, 'pending' | 'pendingCount'>;

/** Listed are slots for which room is being made, then one of each reason, then the lowest; ascending. */
export function summarizePending(pending: readonly PendingSlot[]): PendingPart {
  const short = pending.length <= MAX_LISTED ? pending : listed(pending);
  const examples = short.map(one => ({ ...one, reason: one.reason.length <= MAX_REASON_CHARS ? one.reason : `${one.reason.slice(0, MAX_REASON_CHARS)}...` }));
  return { pending: examples, ...(pending.length === examples.length ? {} : { pendingCount: pending.length }) };
}

function listed(pending: readonly PendingSlot[]): readonly PendingSlot[] {
  const reasons = new Set<string>();
  const isFirst = ({ reason }: PendingSlot): boolean => reasons.size < reasons.add(reason).size;
  const groups = Map.groupBy(pending, one => (one.node !== undefined ? 'room' : isFirst(one) ? 'reason' : 'other'));
  const chosen = [...groups.get('room') ?? [], ...groups.get('reason') ?? [], ...groups.get('other') ?? []].slice(0, MAX_LISTED);
  return chosen.sort((left, right) => left.slot - right.slot);
}

/** One event for each reason that slots wait for and did not before. */
export function pendingEvents(object: string, before: readonly PendingSlot[], now: readonly PendingSlot[]): readonly PlannedEvent[] {
  const known = new Map(before.map(one => [one.slot, one.reason]));
  const knownReasons = new Set(before.map(one => one.reason));
  const isNew = ({ slot, reason }: PendingSlot): boolean => known.get(slot) !== reason && (before.length < MAX_LISTED || !knownReasons.has(reason));
  const groups = [...Map.groupBy(now.filter(isNew), one => one.reason)].slice(0, MAX_EVENTS);
  return groups.map(([reason, slots]) => ({ type: 'warning', object, reason: 'Unschedulable', message: `${slotsText(slots.map(one => one.slot))}: ${reason}` }));
}

function slotsText(slots: readonly number[]): string {
  const more = slots.length > MAX_NAMED ? ` and ${String(slots.length - MAX_NAMED)} more` : '';
  return `${slots.length === 1 ? 'slot' : 'slots'} ${slots.slice(0, MAX_NAMED).join(', ')}${more}`;
}
