import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import { untilAborted } from '#kit/until-aborted.ts';
import { compactionRevision, hasRoom, isWorthDefragmenting } from './store/etcd-space.ts';
import type { EtcdSpace } from './store/etcd-space.ts';
import type { SpaceKeeper } from './store/ports.ts';

export interface SpaceLoopOptions {
  readonly keeper: SpaceKeeper;
  readonly clock: Clock;
  readonly logger: Logger;
  /** True while this controller leads, and while none does: without space none can be elected. */
  readonly mayReclaim: () => boolean;
  /** 0 <= random() < 1, for jitter. */
  readonly random: () => number;
}

const LOOK_MS = 10_000;
/** Between two reclaims while etcd still accepts writes: what is in force may fill it, and then they free nothing. */
const PAUSE_MS = 300_000;
/** The same while etcd refuses writes. */
const FULL_PAUSE_MS = 30_000;
/** etcd reports what a compaction freed only once it committed again, each 100 ms. Source: etcd, --backend-batch-interval */
const SETTLE_MS = 1_000;

/**
 * Keeps etcd below its quota: near it, history is compacted and the files are defragmented, one member after another. Out of
 * space, the alarm is disarmed as soon as every member has room again. Every controller looks, for metrics; one acts.
 * The end waits for no answer of etcd: a defragmentation may take minutes, and etcd finishes it alone.
 */
export class SpaceLoop implements Loop {
  readonly #options: SpaceLoopOptions;
  #space: EtcdSpace | undefined;
  #reclaimedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: SpaceLoopOptions) {
    this.#options = options;
  }

  /** As last read; undefined before the first time. */
  get space(): EtcdSpace | undefined {
    return this.#space;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, random } = this.#options;
    for (;;) {
      // Where none leads, two controllers hardly ever act in the same moment.
      await clock.sleep(LOOK_MS * (0.5 + random() / 2), signal);
      try {
        await this.#look(signal);
      } catch (error) {
        signal.throwIfAborted();
        logger.error({ err: error }, 'space of etcd could not be reclaimed; the next try follows');
      }
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, keeper, mayReclaim } = this.#options;
    const before = this.#space;
    this.#space = await untilAborted(keeper.read(), signal);
    if (!mayReclaim()) return;
    await this.#disarmWhereRoomIs(signal);
    const revision = compactionRevision(this.#space, before);
    const pauseMs = this.#space.isOutOfSpace ? FULL_PAUSE_MS : PAUSE_MS;
    if (revision === undefined || clock.monotonicMs() - this.#reclaimedAtMs < pauseMs) return;
    this.#reclaimedAtMs = clock.monotonicMs();
    await this.#reclaim(this.#space, revision, signal);
  }

  async #reclaim(before: EtcdSpace, revision: number, signal: AbortSignal): Promise<void> {
    const { clock, keeper, logger } = this.#options;
    await untilAborted(keeper.compact(revision), signal);
    await clock.sleep(SETTLE_MS, signal);
    for (const { host } of before.members) {
      const member = (await untilAborted(keeper.read(), signal)).members.find(one => one.host === host);
      // Without writes, what is free may not be reported for long.
      if (member !== undefined && (before.isOutOfSpace || isWorthDefragmenting(member))) await untilAborted(keeper.defragment(host), signal);
    }
    this.#space = await untilAborted(keeper.read(), signal);
    logger.info({ revision, before: before.members, after: this.#space.members }, 'history of etcd was compacted');
    if (this.#space.isOutOfSpace && !hasRoom(this.#space.members)) {
      logger.error({ members: this.#space.members }, 'etcd: records in force fill its quota; raise --quota-backend-bytes');
    }
    await this.#disarmWhereRoomIs(signal);
  }

  /** Also after an operator raised the quota. */
  async #disarmWhereRoomIs(signal: AbortSignal): Promise<void> {
    const { keeper, logger } = this.#options;
    if (this.#space?.isOutOfSpace !== true || !hasRoom(this.#space.members)) return;
    await untilAborted(keeper.disarm(), signal);
    this.#space = { ...this.#space, isOutOfSpace: false };
    logger.warn({}, 'etcd was out of space; it accepts writes again');
  }
}
