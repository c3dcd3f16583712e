/** Reads: views of the mirror, Revisions, events. */
import { createHash } from 'node:crypto';
import { appId } from '#model/ids.ts';
import type { ClusterView, ControlHandlers, ListFilter, Peer } from '#model/ports.ts';
import type { Clock } from '#kit/clock.ts';
import { FRESH_PACE, paceAfter } from '#kit/pace.ts';
import { decodeRevision } from '../store/records.ts';
import { revisionPrefix } from '../store/keys.ts';
import type { Store } from '../store/ports.ts';
import type { ClusterChange } from '../store/snapshot.ts';
import { requireRole } from './access.ts';
import { clusterView } from './cluster-view.ts';
import type { ClusterState } from './ports.ts';
import { ViewChanges } from './view-changes.ts';
import type { ViewSource } from './view-changes.ts';
import { pageOf } from './view-page.ts';
import type { SessionTable } from './session-table.ts';

export interface ViewParts {
  readonly store: Store;
  readonly state: ClusterState;
  readonly sessions: SessionTable;
  readonly clock: Clock;
  readonly version: string;
  readonly clusterId: string;
  readonly signal: AbortSignal;
}

type ViewHandlers = Pick<ControlHandlers, 'viewPage' | 'watch' | 'revisions' | 'clusterStatus'>;

/** Of the views of one watcher: a few changes are told at once, of many those in between are in the next one. */
const WATCH_PACE = { quickCount: 4, intervalMs: 50, leastMs: 0 };

/** After a change that took several parts. */
const MANY_PACE = { ...WATCH_PACE, leastMs: 250 };

/** What tells a watcher that is `onlyRecords`. */
const RECORDS = ['app', 'service', 'node'] as const;

export function createViewApi(parts: ViewParts): ViewHandlers {
  return {
    viewPage(request, peer) {
      requireRole(peer, 'operator');
      const view = viewNow(request.filter, parts);
      return Promise.resolve(pageOf(view, request, { key: parts.clusterId, nowMs: parts.clock.nowMs() }));
    },
    watch: (filter, peer, signal) => watchViews({ filter, peer }, parts, signal),
    async revisions(request, peer) {
      requireRole(peer, 'operator');
      const { entries } = await parts.store.list([revisionPrefix(appId(request.namespace, request.app))], parts.signal);
      return entries.map(entry => decodeRevision(entry.value));
    },
    clusterStatus(peer) {
      requireRole(peer, 'operator');
      const snapshot = parts.state.current;
      return Promise.resolve({
        ...(snapshot.leaderId === undefined ? {} : { leader: snapshot.leaderId }),
        epoch: snapshot.epoch,
        controllers: [...snapshot.controllers.values()].map(record => record.value).sort((left, right) => (left.id < right.id ? -1 : 1)),
        version: parts.version,
        clusterId: parts.clusterId,
      });
    },
  };
}

interface Watching {
  readonly filter: ListFilter;
  readonly peer: Peer;
}

async function* watchViews({ filter, peer }: Watching, parts: ViewParts, signal: AbortSignal): AsyncGenerator<ClusterView> {
  requireRole(peer, 'operator');
  const told = filter.takesChanges === true ? new ViewChanges(filter, parts.state.current) : new WholeViews(filter);
  let pace = FRESH_PACE;
  const changes = parts.state.changes(signal, { turnsLater: isWide(filter) ? 3 : 1 })[Symbol.asyncIterator]();
  for (;;) {
    // Asked for before the view is made: a change in between is not missed.
    const changed = nextChange(changes, filter, change => { told.take(change, parts.state.current); });
    // A reader that leaves while a view is on its way to it waits for no change any more: nobody would see the rejection.
    changed.catch(() => undefined);
    let count = 0;
    for (const view of told.parts(() => sourceOf(parts))) {
      yield view;
      count += 1;
      // The other work of this replica goes between two parts.
      if (view.change?.isPartial === true) await parts.clock.turn();
    }
    await changed;
    const next = paceAfter(pace, parts.clock.monotonicMs(), count > 1 ? MANY_PACE : WATCH_PACE);
    pace = next.pace;
    if (next.pauseMs > 0) await parts.clock.sleep(next.pauseMs, signal);
  }
}

/** For a watcher that takes no changes. */
class WholeViews {
  readonly #filter: ListFilter;
  #last = '';

  constructor(filter: ListFilter) {
    this.#filter = filter;
  }

  take(): void {
    // Each view is made anew.
  }

  *parts(source: () => ViewSource): Generator<ClusterView, void, undefined> {
    const { snapshot, lastSeen } = source();
    const view = clusterView(snapshot, this.#filter, lastSeen);
    const text = fingerprint(view);
    if (text !== this.#last) {
      this.#last = text;
      yield view;
    }
  }
}

/** The next change that the watcher is told of. */
async function nextChange(changes: AsyncIterator<ClusterChange>, { onlyRecords }: ListFilter, take: (change: ClusterChange) => void): Promise<void> {
  for (;;) {
    const next = await changes.next();
    if (next.done !== true) take(next.value);
    if (next.done === true || onlyRecords !== true || RECORDS.some(kind => next.value.kinds.has(kind))) return;
  }
}

/** All of the cluster: that takes longer to make, and to read, than what somebody asked for by name. */
function isWide({ app, node, service }: ListFilter): boolean {
  return app === undefined && node === undefined && service === undefined;
}

function viewNow(filter: ListFilter, parts: ViewParts): ClusterView {
  const { snapshot, lastSeen } = sourceOf(parts);
  return clusterView(snapshot, filter, lastSeen);
}

function sourceOf(parts: ViewParts): ViewSource {
  const monotonicZeroMs = parts.clock.nowMs() - parts.clock.monotonicMs();
  const lastSeen = new Map(parts.sessions.all().map(session => [session.node, Math.round(monotonicZeroMs + session.lastHeardMonotonicMs)]));
  return { snapshot: parts.state.current, lastSeen };
}

/**
 * Equal for views that show the same, whatever else changed in the cluster. A watcher keeps it for
 * as long as it is there: a hash, since the text of a large cluster has many MB.
 */
function fingerprint(view: ClusterView): string {
  const text = JSON.stringify({ ...view, etcdRevision: 0, nodes: view.nodes.map(node => ({ ...node, lastSeenMs: 0 })) },
    (_key, value: unknown) => (value instanceof Map ? [...value.entries()] : value));
  return createHash('sha256').update(text).digest('base64');
}
