import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { AppId } from '#model/ids.ts';
import { lookWhileLeader } from '../leader-interval-loop.ts';
import { DeposedError } from '../leadership-loop.ts';
import type { Leadership } from '../leadership-loop.ts';
import { compareEpoch, isEpochRefused } from '../store/epoch.ts';
import { buildKey, parseKey, revisionPrefix } from '../store/keys.ts';
import type { Compare, Store } from '../store/ports.ts';
import { isInDoubt, neededRevisions, revisionsToDelete } from './revision-retention.ts';

export interface RevisionLoopOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cluster: { readonly current: ClusterSnapshot; readonly invalid: ReadonlyMap<string, unknown>; waitFor(etcdRevision: number, signal: AbortSignal): Promise<void> };
  /** Earlier Revisions of each App that are kept beside those that something needs. */
  readonly limit: number;
}

/** An App as it was when a poll began. */
interface SeenApp {
  readonly id: AppId;
  readonly revision: number;
  readonly modRevision: number;
}

const LOOK_INTERVAL_MS = 10_000;
const BATCH_SIZE = 100;

/**
 * Deletes old Revisions of each App that has a new one, while this controller leads. Each transaction compares the App: after an
 * apply, an undo or a rollback in between, the next poll deletes them.
 */
export class RevisionLoop implements Loop {
  readonly #options: RevisionLoopOptions;
  readonly #leadership: Leadership;
  /** Revision of each App when nothing was left to delete. */
  #done: ReadonlyMap<AppId, number> = new Map();

  constructor(options: RevisionLoopOptions, leadership: Leadership) {
    this.#options = options;
    this.#leadership = leadership;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, cluster, logger } = this.#options;
    await cluster.waitFor(this.#leadership.epoch, signal);
    await lookWhileLeader(async () => { await this.#look(signal); }, { intervalMs: LOOK_INTERVAL_MS, failure: 'old Revisions could not be deleted', clock, logger }, signal);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { current, invalid } = this.#options.cluster;
    const apps = [...current.apps.values()].filter(({ value }) => !value.isDeleting).map(({ value: { id, revision }, modRevision }): SeenApp => ({ id, revision, modRevision }));
    const changed = apps.filter(({ id, revision }) => this.#done.get(id) !== revision && !isInDoubt(id, current, invalid.keys()));
    if (changed.length === 0) return;
    const needed = neededRevisions(current);
    const known = new Set(apps.map(({ id }) => id));
    const done = new Map([...this.#done].filter(([id]) => known.has(id)));
    this.#done = done;
    for (const app of changed) {
      if (await this.#prune(app, needed.get(app.id) ?? new Set(), signal)) done.set(app.id, app.revision);
    }
  }

  /** @returns whether nothing is left to delete. @throws DeposedError */
  async #prune({ id, modRevision, revision }: SeenApp, needed: ReadonlySet<number>, signal: AbortSignal): Promise<boolean> {
    const { limit, logger, store } = this.#options;
    const { keys } = await store.listKeys(revisionPrefix(id), signal);
    const stored = keys.map(({ key }) => parseKey(key)).flatMap(key => (key?.kind === 'revision' ? [key.number] : []));
    const due = revisionsToDelete(stored, { inForce: revision, limit, needed });
    for (let start = 0; start < due.length; start += BATCH_SIZE) {
      const numbers = due.slice(start, start + BATCH_SIZE);
      if (!await this.#delete(id, { modRevision, numbers }, signal)) return false;
    }
    if (due.length > 0) logger.info({ app: id, revisions: due }, 'old Revisions were deleted');
    return true;
  }

  async #delete(app: AppId, { modRevision, numbers }: { readonly modRevision: number; readonly numbers: readonly number[] }, signal: AbortSignal): Promise<boolean> {
    if (!this.#leadership.isHeld()) throw new DeposedError('the lease was not renewed in time');
    const unchanged: Compare = { kind: 'mod-revision', key: buildKey({ kind: 'app', id: app }), revision: modRevision };
    const outcome = await this.#options.store.transact(
      [compareEpoch(this.#leadership.epoch), unchanged], numbers.map(number => ({ kind: 'delete', key: buildKey({ kind: 'revision', app, number }) })), signal);
    if (outcome.kind === 'refused' && isEpochRefused(outcome.failed)) throw new DeposedError('a write was refused for its epoch');
    return outcome.kind === 'committed';
  }
}
