import type { Clock } from '#kit/clock.ts';
import { KeyedQueue } from '#kit/keyed-queue.ts';
import type { Logger } from '#kit/logger.ts';
import { superviseLoops } from '#kit/supervise-loop.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { isRetryable } from '#model/errors.ts';
import { parseAppId, parseServiceId } from '#model/ids.ts';
import type { AppId, NodeId, ServiceId } from '#model/ids.ts';
import type { Times } from '#model/times.ts';
import { DeposedError } from '../leadership-loop.ts';
import type { Leadership } from '../leadership-loop.ts';
import { prefixOf } from '../store/keys.ts';
import type { Store } from '../store/ports.ts';
import type { ClusterChange } from '../store/snapshot.ts';
import { affectedKeys, allKeys, touchesVolumes, waitingServices } from './affected-keys.ts';
import type { ReconcileKey } from './affected-keys.ts';
import { applyPlan } from './apply-flow.ts';
import type { ApplyOutcome } from './apply-flow.ts';
import { nextSteadiness } from './clock-steadiness.ts';
import type { ClockSteadiness } from './clock-steadiness.ts';
import { gapMs } from './liveness.ts';
import type { MassBreaker } from './mass-breaker.ts';
import { NO_EVIDENCE, afterGap, awayForMs } from './node-plan.ts';
import type { NodeEvidence, NodePlan, NodePlanContext } from './node-plan.ts';
import type { Plan, PlannedEvent } from './plan.ts';
import type { PlanContext } from './plan-context.ts';
import type { RevisionCache } from './revision-store.ts';
import { KeptTable } from '../schedule/kept-table.ts';

export interface Planners {
  readonly service: (snapshot: ClusterSnapshot, id: ServiceId, context: PlanContext) => Plan;
  readonly app: (snapshot: ClusterSnapshot, id: AppId, nowMs: number) => Plan;
  readonly nodes: (snapshot: ClusterSnapshot, evidence: NodeEvidence, context: NodePlanContext) => NodePlan;
  readonly volumes: (snapshot: ClusterSnapshot, nowMs: number) => Plan;
}

export interface ReconcileOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cluster: {
    readonly current: ClusterSnapshot;
    waitFor(etcdRevision: number, signal: AbortSignal): Promise<void>;
    onChange(listener: (change: ClusterChange) => void): () => void;
  };
  readonly events: { record(events: readonly PlannedEvent[]): void };
  readonly revisions: RevisionCache;
  readonly planners: Planners;
  readonly times: Times;
  readonly clusterId: string;
  readonly random: () => number;
  readonly onTurn?: (turn: ReconcileTurn) => void;
  /** Told how long planning a service took. */
  readonly onPlan?: (durationMs: number) => void;
}

/** One look at one key, for metrics. */
export interface ReconcileTurn {
  readonly kind: 'nodes' | 'volumes' | 'service' | 'app';
  readonly durationMs: number;
  readonly outcome: ApplyOutcome['kind'] | 'idle' | 'failed' | 'unavailable';
}

const TICK_MS = 250;
/** Plans are made one at a time: each sees all placements of those before it. */
const CONCURRENCY = 1;
const CONFLICT_JITTER_MS = 50;
/** Shorter plans may follow each other in one tick of the event loop. */
const LONG_PLAN_MS = 2;
const UNAVAILABLE_DELAY_MS = 500;
const FAILURE_DELAY_MS = 30_000;

/**
 * The leader's work: for each key, plan on the current snapshot, apply, wait until the snapshot has it, again until there is nothing to do.
 *
 * 1. Level-triggered: a change only says which key to look at, and all keys are looked at when a term begins and each RELIST. 2. `wakeAtMs`
 * of a plan brings its key back by the clock. 3. A key whose plan throws, which is a bug, stops no other key. 4. A refused epoch ends the
 * term by DeposedError.
 */
export class ReconcileLoop implements Loop {
  readonly #options: ReconcileOptions;
  readonly #leadership: Leadership;
  readonly #queue: KeyedQueue<ReconcileKey>;
  readonly #wakes = new Map<ReconcileKey, number>();
  readonly #table = new KeptTable();
  #evidence: NodeEvidence = NO_EVIDENCE;
  /** Monotonic ms of the last look for a gap. */
  #lookedAtMs: number;
  #steadiness: ClockSteadiness | undefined;
  #hasRoom = false;
  #hasVolumeNews = false;

  constructor(options: ReconcileOptions, leadership: Leadership) {
    this.#options = options;
    this.#leadership = leadership;
    this.#lookedAtMs = options.clock.monotonicMs();
    this.#queue = new KeyedQueue(CONCURRENCY, async (key, signal) => { await this.#turn(key, signal); });
  }

  get breaker(): MassBreaker {
    return this.#evidence.breaker;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { cluster } = this.#options;
    // Nothing of an earlier term may be missing in what this one is decided from.
    await cluster.waitFor(this.#leadership.epoch, signal);
    const stop = cluster.onChange(change => { this.#onChange(change); });
    this.#requestAll();
    try {
      await superviseLoops({ queue: this.#queue, ticks: { run: inner => this.#tick(inner) } }, signal);
    } finally {
      stop();
    }
  }

  #onChange(change: ClusterChange): void {
    this.#table.touch(change);
    for (const key of affectedKeys(change, this.#options.cluster.current)) {
      this.#queue.request(key);
    }
    this.#hasRoom ||= change.kinds.has('status') || change.kinds.has('task') || change.kinds.has('namespace') || change.kinds.has('volume');
    this.#hasVolumeNews ||= touchesVolumes(change, this.#options.cluster.current);
  }

  #requestAll(): void {
    allKeys(this.#options.cluster.current).forEach(key => { this.#queue.request(key); });
  }

  async #tick(signal: AbortSignal): Promise<void> {
    const { clock, cluster, times } = this.#options;
    let lastAllMs = clock.monotonicMs();
    for (;;) {
      await clock.sleep(TICK_MS, signal);
      this.#lookAtClock();
      this.#lookForGap();
      const nowMs = clock.monotonicMs();
      if (nowMs - lastAllMs >= times.relistMs) {
        lastAllMs = nowMs;
        this.#requestAll();
      }
      this.#queue.request('nodes');
      if (this.#hasVolumeNews) {
        this.#hasVolumeNews = false;
        this.#queue.request('volumes');
      }
      this.#wakeDue();
      if (this.#hasRoom) {
        this.#hasRoom = false;
        waitingServices(cluster.current).forEach(key => { this.#queue.request(key); });
      }
    }
  }

  #wakeDue(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const [key, atMs] of this.#wakes) {
      if (atMs <= nowMs) {
        this.#wakes.delete(key);
        this.#queue.request(key);
      }
    }
  }

  async #turn(key: ReconcileKey, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    const startedAtMs = clock.monotonicMs();
    let outcome: ReconcileTurn['outcome'];
    try {
      outcome = await this.#reconcile(key, signal);
    } catch (error) {
      this.#table.drop();
      signal.throwIfAborted();
      if (error instanceof DeposedError) {
        throw error;
      }
      outcome = isRetryable(error) ? 'unavailable' : 'failed';
      if (outcome === 'failed') {
        logger.error({ err: error, key }, 'a plan could not be made or applied');
      }
      this.#wakes.set(key, clock.nowMs() + (outcome === 'failed' ? FAILURE_DELAY_MS : UNAVAILABLE_DELAY_MS));
    }
    const durationMs = clock.monotonicMs() - startedAtMs;
    this.#options.onTurn?.({ kind: kindOf(key), durationMs, outcome });
    // One that changed nothing waited for nothing: heartbeats and renewals go between it and the next.
    if (outcome === 'idle' && durationMs >= LONG_PLAN_MS) await clock.turn();
  }

  async #reconcile(key: ReconcileKey, signal: AbortSignal): Promise<ReconcileTurn['outcome']> {
    const { cluster } = this.#options;
    if (key === 'nodes') {
      return await this.#reconcileNodes(signal);
    }
    if (key === 'volumes') {
      return await this.#apply(key, this.#options.planners.volumes(cluster.current, this.#options.clock.nowMs()), signal);
    }
    if (key.startsWith('app/')) {
      const id = parseAppId(key.slice('app/'.length));
      return await this.#apply(key, this.#options.planners.app(cluster.current, id, this.#options.clock.nowMs()), signal);
    }
    const id = parseServiceId(key.slice('service/'.length));
    await this.#options.revisions.load(cluster.current, id, signal);
    return await this.#apply(key, this.#planService(id), signal);
  }

  #planService(id: ServiceId): Plan {
    const { clock, cluster, planners } = this.#options;
    const startedAtMs = clock.monotonicMs();
    const plan = planners.service(cluster.current, id, this.#planContext());
    this.#options.onPlan?.(clock.monotonicMs() - startedAtMs);
    return plan;
  }

  #planContext(): PlanContext {
    this.#lookForGap();
    const { clock, cluster, clusterId, revisions, times } = this.#options;
    const awayFor = (node: NodeId): number => awayForMs(this.#evidence, node, { monotonicMs: clock.monotonicMs(), times });
    return { nowMs: clock.nowMs(), steadySinceMs: this.#lookAtClock(), clusterId, times, awayForMs: awayFor, revisionOf: (app, number) => revisions.get(cluster.current, app, number), table: () => this.#table.at(cluster.current) };
  }

  /** Before each plan too: after a gap one may come before the tick. */
  #lookForGap(): void {
    const { clock, times } = this.#options;
    const nowMs = clock.monotonicMs();
    const lengthMs = gapMs(this.#lookedAtMs, nowMs, { intervalMs: TICK_MS, stallMs: times.stallMs });
    this.#lookedAtMs = nowMs;
    if (lengthMs > 0) this.#evidence = afterGap(this.#evidence, lengthMs);
  }

  #lookAtClock(): number {
    const { clock } = this.#options;
    this.#steadiness = nextSteadiness(this.#steadiness, { nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() });
    return this.#steadiness.sinceMs;
  }

  /** Evictions are decided again on a snapshot that is as new as etcd: a watch that lags must not cost a node its tasks. */
  async #reconcileNodes(signal: AbortSignal): Promise<ReconcileTurn['outcome']> {
    const { cluster, store } = this.#options;
    let plan = this.#planNodes();
    if (plan.actions.length > 0) {
      const { etcdRevision } = await store.list(prefixOf('leader'), signal);
      await cluster.waitFor(etcdRevision, signal);
      plan = this.#planNodes();
    }
    const outcome = await this.#apply('nodes', plan, signal);
    if (outcome === 'committed' || outcome === 'idle') {
      this.#evidence = plan.evidence;
    }
    return outcome;
  }

  #planNodes(): NodePlan {
    this.#lookForGap();
    const { clock, cluster, planners, times } = this.#options;
    const plan = planners.nodes(cluster.current, this.#evidence, { monotonicMs: clock.monotonicMs(), times });
    if (plan.actions.length === 0) {
      this.#evidence = plan.evidence;
    }
    return plan;
  }

  async #apply(key: ReconcileKey, plan: Plan, signal: AbortSignal): Promise<ReconcileTurn['outcome']> {
    const { clock, cluster, events, random, store } = this.#options;
    this.#wakes.delete(key);
    if (plan.wakeAtMs !== undefined) {
      this.#wakes.set(key, plan.wakeAtMs);
    }
    if (plan.actions.length === 0) {
      events.record(plan.events);
      return 'idle';
    }
    const applier = { store, epoch: this.#leadership.epoch, isHeld: () => this.#leadership.isHeld(), nowMs: clock.nowMs() };
    const outcome = await applyPlan(plan, cluster.current, applier, signal);
    if (outcome.kind === 'deposed') {
      throw new DeposedError(outcome.reason);
    }
    if (outcome.kind === 'committed') {
      events.record(plan.events);
    } else {
      await clock.sleep(random() * CONFLICT_JITTER_MS, signal);
    }
    await cluster.waitFor(outcome.etcdRevision, signal);
    // The assignments that came of it leave first.
    await clock.turn();
    this.#queue.request(key);
    return outcome.kind;
  }
}

function kindOf(key: ReconcileKey): ReconcileTurn['kind'] {
  if (key === 'nodes' || key === 'volumes') {
    return key;
  }
  return key.startsWith('app/') ? 'app' : 'service';
}
