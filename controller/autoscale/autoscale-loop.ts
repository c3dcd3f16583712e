import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { ServiceId, TaskId } from '#model/ids.ts';
import { milliCpuBetween } from '#model/usage-rate.ts';
import type { UsageSample } from '#model/usage.ts';
import { DeposedError } from '../leadership-loop.ts';
import { lookWhileLeader } from '../leader-interval-loop.ts';
import type { Leadership } from '../leadership-loop.ts';
import { applyPlan } from '../reconcile/apply-flow.ts';
import type { PlannedEvent } from '../reconcile/plan.ts';
import type { Store } from '../store/ports.ts';
import { planAutoscale, scaledServices } from './autoscale-plan.ts';
import type { Measures, QueryAnswer } from './ports.ts';
import type { Measured, TaskUse } from './readings.ts';

export interface AutoscaleOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cluster: { readonly current: ClusterSnapshot; waitFor(etcdRevision: number, signal: AbortSignal): Promise<void> };
  readonly events: { record(events: readonly PlannedEvent[]): void };
  readonly measures: Measures;
}

/** As Kubernetes' `--horizontal-pod-autoscaler-sync-period`. */
export const AUTOSCALE_INTERVAL_MS = 15_000;
const QUERIES_AT_ONCE = 8;
const NO_PROMETHEUS: QueryAnswer = { kind: 'problem', message: 'this controller has no --prometheus' };

/**
 * While leader: measures each service that scales, and writes the number of replicas that it is to have into its status; the reconcile loop does the rest.
 *
 * Use is taken between one look and the next. A write that lost a race is made again from the next look.
 */
export class AutoscaleLoop implements Loop {
  readonly #options: AutoscaleOptions;
  readonly #leadership: Leadership;
  #samples: ReadonlyMap<TaskId, UsageSample> = new Map();

  constructor(options: AutoscaleOptions, leadership: Leadership) {
    this.#options = options;
    this.#leadership = leadership;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, cluster, logger } = this.#options;
    await cluster.waitFor(this.#leadership.epoch, signal);
    await lookWhileLeader(async () => { await this.#look(signal); }, { intervalMs: AUTOSCALE_INTERVAL_MS, failure: 'services could not be scaled', clock, logger }, signal);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, cluster } = this.#options;
    const services = scaledServices(cluster.current);
    if (services.length === 0) {
      this.#samples = new Map();
      return;
    }
    const answers = await this.#ask(services.flatMap(({ spec }) => spec.autoscale?.metric?.query ?? []), signal);
    const usage = this.#readUsage();
    for (const { id, spec } of services) {
      const answer = answers.get(spec.autoscale?.metric?.query ?? '');
      await this.#scale(id, { ...usage, nowMs: clock.nowMs(), ...(answer === undefined ? {} : { answer }) }, signal);
    }
  }

  async #scale(id: ServiceId, measured: Measured, signal: AbortSignal): Promise<void> {
    const { cluster, events, store } = this.#options;
    const snapshot = cluster.current;
    const plan = planAutoscale(snapshot, id, measured);
    if (plan.actions.length === 0) {
      return;
    }
    const applier = { store, epoch: this.#leadership.epoch, isHeld: () => this.#leadership.isHeld(), nowMs: measured.nowMs };
    const outcome = await applyPlan(plan, snapshot, applier, signal);
    if (outcome.kind === 'deposed') {
      throw new DeposedError(outcome.reason);
    }
    if (outcome.kind === 'committed') {
      events.record(plan.events);
    }
    await cluster.waitFor(outcome.etcdRevision, signal);
  }

  /** One answer a query, whoever asks it. */
  async #ask(queries: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, QueryAnswer>> {
    const { query: ask } = this.#options.measures;
    const waiting = [...new Set(queries)];
    const answers = new Map<string, QueryAnswer>();
    const work = async (): Promise<void> => {
      for (let query = waiting.shift(); query !== undefined; query = waiting.shift()) {
        answers.set(query, ask === undefined ? NO_PROMETHEUS : await ask(query, signal));
      }
    };
    await Promise.all(Array.from({ length: QUERIES_AT_ONCE }, work));
    return answers;
  }

  #readUsage(): Pick<Measured, 'use' | 'usageProblem'> {
    const usage = this.#options.measures.usage();
    if (usage?.isNatsConnected !== true) {
      this.#samples = new Map();
      return { use: new Map(), usageProblem: usage === undefined ? 'this controller has no --nats, which carries what agents report' : 'NATS is away, which carries what agents report' };
    }
    const use = new Map(usage.tasks.map(({ sample, milliCpu }): readonly [TaskId, TaskUse] => {
      const used = milliCpuBetween(this.#samples.get(sample.task), sample) ?? milliCpu;
      return [sample.task, { memoryBytes: sample.memoryBytes, ...(used === undefined ? {} : { milliCpu: used }) }];
    }));
    this.#samples = new Map(usage.tasks.map(({ sample }) => [sample.task, sample]));
    return { use };
  }
}
