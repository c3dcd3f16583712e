import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { ContentPins } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { DeposedError } from '../leadership-loop.ts';
import { lookWhileLeader } from '../leader-interval-loop.ts';
import type { Leadership } from '../leadership-loop.ts';
import { compareEpoch, isEpochRefused } from '../store/epoch.ts';
import { parseKey, prefixOf, revisionPrefix } from '../store/keys.ts';
import type { Compare, Store, StoredKey } from '../store/ports.ts';
import { decodeRevision } from '../store/records.ts';
import { contentKeys, planContentRetention } from './content-retention.ts';
import type { Idle } from './content-retention.ts';

export interface ContentLoopOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cluster: { readonly current: ClusterSnapshot; waitFor(etcdRevision: number, signal: AbortSignal): Promise<void> };
}

/** What a Revision pins; it is immutable, so that what was read stays true as long as its key was not made anew. */
interface KnownRevision {
  readonly createRevision: number;
  readonly needed: readonly string[];
}

const LOOK_INTERVAL_MS = 600_000;
/** Contents in one transaction; each is compared, too. */
const BATCH_SIZE = 50;

/**
 * While leader: removes contents of configs and secrets that nothing has needed for an hour.
 *
 * 1. What is stored is listed before what is needed is read, and is removed only as it was listed. 2. Where a Revision cannot be read nothing is
 * removed: it may need anything. 3. A new leader waits its own hour.
 */
export class ContentLoop implements Loop {
  readonly #options: ContentLoopOptions;
  readonly #leadership: Leadership;
  #idle: ReadonlyMap<string, Idle> = new Map();
  #revisions: ReadonlyMap<string, KnownRevision> = new Map();

  constructor(options: ContentLoopOptions, leadership: Leadership) {
    this.#options = options;
    this.#leadership = leadership;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, cluster, logger } = this.#options;
    await cluster.waitFor(this.#leadership.epoch, signal);
    await lookWhileLeader(async () => { await this.#look(signal); }, { intervalMs: LOOK_INTERVAL_MS, failure: 'contents that nobody needs could not be removed', clock, logger }, signal);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, store } = this.#options;
    const { keys: stored } = await store.listKeys([prefixOf('blob'), prefixOf('secret'), prefixOf('deleted-secret')], signal);
    if (stored.length === 0) {
      return;
    }
    await this.#readRevisions(signal);
    const needed = new Set([...this.#revisions.values()].flatMap(one => one.needed).concat(pinnedNow(this.#options.cluster.current)));
    const { due, idle } = planContentRetention(stored, needed, this.#idle, clock.monotonicMs());
    this.#idle = idle;
    for (let start = 0; start < due.length; start += BATCH_SIZE) {
      await this.#remove(due.slice(start, start + BATCH_SIZE), signal);
    }
  }

  /** One App after another: all Revisions at once may be more than this process has room for. */
  async #readRevisions(signal: AbortSignal): Promise<void> {
    const { store } = this.#options;
    const { keys } = await store.listKeys(prefixOf('revision'), signal);
    const known = new Map(keys.flatMap(({ key, createRevision }) => {
      const before = this.#revisions.get(key);
      return before?.createRevision === createRevision ? [[key, before] as const] : [];
    }));
    for (const prefix of new Set(keys.filter(({ key }) => !known.has(key)).map(({ key }) => appPrefixOf(key)))) {
      for (const { key, createRevision, value } of (await store.list(prefix, signal)).entries) {
        const { app, pins } = decodeRevision(value);
        known.set(key, { createRevision, needed: contentKeys(namespaceOf(app), pins) });
      }
    }
    this.#revisions = known;
  }

  /** One that was written since stays, and those of its batch until the next look. @throws DeposedError */
  async #remove(contents: readonly StoredKey[], signal: AbortSignal): Promise<void> {
    const { logger, store } = this.#options;
    if (!this.#leadership.isHeld()) {
      throw new DeposedError('the lease was not renewed in time');
    }
    const compares = contents.map(({ key, modRevision }): Compare => ({ kind: 'mod-revision', key, revision: modRevision }));
    const outcome = await store.transact([compareEpoch(this.#leadership.epoch), ...compares], contents.map(({ key }) => ({ kind: 'delete', key })), signal);
    if (outcome.kind === 'refused' && isEpochRefused(outcome.failed)) {
      throw new DeposedError('a write was refused for its epoch');
    }
    if (outcome.kind === 'committed') {
      logger.info({ keys: contents.map(({ key }) => key) }, 'contents that nobody needs were removed');
    }
  }
}

/** Of what runs or is to run: Tasks may outlive the Revision that they were made from. */
function pinnedNow({ services, tasks }: ClusterSnapshot): readonly string[] {
  const users: readonly { readonly namespace: string; readonly pins: ContentPins }[] = [...services.values(), ...tasks.values()].map(({ value }) => value);
  return users.flatMap(({ namespace, pins }) => contentKeys(namespace, pins));
}

function namespaceOf(app: string): string {
  return app.split('/', 1)[0] ?? '';
}

/** @throws RangeError for a key below `revisions/` that is none: its pins cannot be known */
function appPrefixOf(key: string): string {
  const parsed = parseKey(key);
  if (parsed?.kind !== 'revision') {
    throw new RangeError(`${key} is no key of a Revision`);
  }
  return revisionPrefix(parsed.app);
}
