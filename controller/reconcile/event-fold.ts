import { messagesOf } from '#model/event.ts';
import type { ClusterEvent, EventMessage } from '#model/event.ts';
import { boundedText } from '../store/bounded-text.ts';
import type { PlannedEvent } from './plan.ts';

/** Messages that one event keeps, with the newest. */
const MAX_MESSAGES = 4;
/** Bytes of each kept message. An event with its full newest message stays below 5 KiB. */
const MAX_KEPT_BYTES = 512;

/** The event with one more occurrence. */
export function foldEvent(known: ClusterEvent | undefined, planned: PlannedEvent, nowMs: number): ClusterEvent {
  const once = { ...planned, firstAtMs: nowMs, lastAtMs: nowMs, count: 1 };
  return known === undefined ? once : joinEvents(known, once);
}

/** Two records of one object and reason as one: the first time stays, the newest message counts, the messages before it are kept beside it. */
export function joinEvents(older: ClusterEvent, newer: ClusterEvent): ClusterEvent {
  const { messages: _, ...newest } = newer;
  const messages = bounded(joined(kept(older), kept(newer)));
  return { ...newest, firstAtMs: older.firstAtMs, count: older.count + newer.count, ...(messages.length === 1 ? {} : { messages }) };
}

function kept(event: ClusterEvent): readonly EventMessage[] {
  return messagesOf(event).map(one => ({ ...one, message: boundedText(one.message, MAX_KEPT_BYTES) }));
}

function joined(older: readonly EventMessage[], newer: readonly EventMessage[]): readonly EventMessage[] {
  const before = new Map(older.map(one => [one.message, one]));
  const again = newer.map(one => {
    const known = before.get(one.message);
    before.delete(one.message);
    return known === undefined ? one : { ...one, firstAtMs: known.firstAtMs, count: known.count + one.count };
  });
  return [...before.values(), ...again];
}

/** The very first one and the newest. */
function bounded(messages: readonly EventMessage[]): readonly EventMessage[] {
  const newest = messages.slice(-MAX_MESSAGES);
  const [first] = messages.toSorted((left, right) => left.firstAtMs - right.firstAtMs);
  return first === undefined || newest.includes(first) ? newest : [first, ...newest.slice(1)];
}
