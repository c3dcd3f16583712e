/** Events: the aggregated records in etcd, and their changes as they come. */
import type { ClusterEvent } from '#model/event.ts';
import type { ControlHandlers } from '#model/ports.ts';
import { createRevisionOf } from '../reconcile/object-birth.ts';
import { decodeClusterEvent, RecordError } from '../store/records.ts';
import { eventPrefix, prefixOf } from '../store/keys.ts';
import type { Store, StoredValue } from '../store/ports.ts';
import { requireRole } from './access.ts';
import type { ClusterState } from './ports.ts';

type EventHandlers = Pick<ControlHandlers, 'events' | 'watchEvents'>;
type EventFilter = Parameters<EventHandlers['events']>[0];

/** A watcher gets the newest of the stored events first, fewer than may wait for a reader (reliability 10); `events` gives all. */
const MAX_FIRST_EVENTS = 500;

interface EventParts {
  readonly store: Store;
  readonly state: Pick<ClusterState, 'current'>;
}

export function createEventApi(parts: EventParts & { readonly signal: AbortSignal }): EventHandlers {
  return {
    async events(filter, peer) {
      requireRole(peer, 'operator');
      return (await listEvents(filter, parts, parts.signal)).events;
    },
    async* watchEvents(filter, peer, signal) {
      requireRole(peer, 'operator');
      const { events, etcdRevision } = await listEvents(filter, parts, signal);
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
async function listEvents(filter: EventFilter, { store, state }: EventParts, signal: AbortSignal): Promise<{ readonly events: readonly ClusterEvent[]; readonly etcdRevision: number }> {
  const { entries, etcdRevision } = await store.list([prefixOfFilter(filter)], signal);
  const bornAt = filter.object === undefined ? 0 : createRevisionOf(filter.object, state.current);
  const events = entries.filter(entry => entry.modRevision >= bornAt).flatMap(readable)
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
