/** Events: the aggregated records in etcd, and their changes as they come. */
import type { ClusterEvent } from '#model/event.ts';
import type { ControlHandlers } from '#model/ports.ts';
import { decodeClusterEvent, RecordError } from '../store/records.ts';
import { eventPrefix, prefixOf } from '../store/keys.ts';
import type { Store, StoredValue } from '../store/ports.ts';
import { requireRole } from './access.ts';

type EventHandlers = Pick<ControlHandlers, 'events' | 'watchEvents'>;
type EventFilter = Parameters<EventHandlers['events']>[0];

/** A watcher gets the newest of the stored events first, fewer than may wait for a reader (reliability 10); `events` gives all. */
const MAX_FIRST_EVENTS = 500;

export function createEventApi(parts: { readonly store: Store; readonly signal: AbortSignal }): EventHandlers {
  return {
    async events(filter, peer) {
      requireRole(peer, 'operator');
      return (await listEvents(filter, parts.store, parts.signal)).events;
    },
    async* watchEvents(filter, peer, signal) {
      requireRole(peer, 'operator');
      const { events, etcdRevision } = await listEvents(filter, parts.store, signal);
      yield* events.slice(-MAX_FIRST_EVENTS);
      for await (const batch of parts.store.watch(prefixOfFilter(filter), etcdRevision, signal)) {
        for (const change of batch.changes) {
          if (change.kind === 'put') {
            yield* readable(change.entry);
          }
        }
      }
    },
  };
}

/** Oldest first. */
async function listEvents(filter: EventFilter, store: Store, signal: AbortSignal): Promise<{ readonly events: readonly ClusterEvent[]; readonly etcdRevision: number }> {
  const { entries, etcdRevision } = await store.list([prefixOfFilter(filter)], signal);
  const events = entries.flatMap(readable)
    .filter(event => event.lastAtMs >= (filter.sinceMs ?? 0))
    .sort((left, right) => left.lastAtMs - right.lastAtMs || (left.object < right.object ? -1 : 1));
  return { events, etcdRevision };
}

/** One that is damaged or newer is left out: the others are news all the same. */
function readable(entry: StoredValue): readonly ClusterEvent[] {
  try {
    return [decodeClusterEvent(entry.value)];
  } catch (error) {
    if (error instanceof RecordError) {
      return [];
    }
    throw error;
  }
}

function prefixOfFilter(filter: EventFilter): string {
  return filter.object === undefined ? prefixOf('event') : eventPrefix(filter.object);
}
