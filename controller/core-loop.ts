import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { superviseLoops } from '#kit/supervise-loop.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { ClusterEvent } from '#model/event.ts';
import type { ControllerRecord } from '#model/node.ts';
import type { Times } from '#model/times.ts';
import type { DecisionRecorder } from './decision-record-fs.ts';
import { AutoscaleLoop } from './autoscale/autoscale-loop.ts';
import type { Measures } from './autoscale/ports.ts';
import type { SecretSealer } from './api/ports.ts';
import { KeyRotationLoop } from './identity/key-rotation-loop.ts';
import { LeadershipLoop } from './leadership-loop.ts';
import { planApp } from './reconcile/app-plan.ts';
import { ContentLoop } from './reconcile/content-loop.ts';
import { EventLoop } from './reconcile/event-loop.ts';
import { planNodes } from './reconcile/node-plan.ts';
import { ReconcileLoop } from './reconcile/reconcile-loop.ts';
import type { Planners, ReconcileTurn } from './reconcile/reconcile-loop.ts';
import { RevisionLoop } from './reconcile/revision-loop.ts';
import { REVISION_HISTORY_LIMIT } from './reconcile/revision-retention.ts';
import { RevisionCache } from './reconcile/revision-store.ts';
import { planService } from './reconcile/service-plan.ts';
import { planVolumes } from './reconcile/volume-plan.ts';
import { RegistrationLoop } from './registration-loop.ts';
import type { Store } from './store/ports.ts';
import { ClusterWatch } from './store/watch-loop.ts';

export interface CoreOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly record: ControllerRecord;
  readonly times: Times;
  readonly clusterId: string;
  /** 0 <= random() < 1, for jitter. */
  readonly random: () => number;
  /** Told each event as it is recorded. */
  readonly onEvent?: (event: ClusterEvent) => void;
  readonly onTurn?: (turn: ReconcileTurn) => void;
  /** Told how long planning a service took. */
  readonly onPlan?: (durationMs: number) => void;
  /** Default: `PLANNERS`. */
  readonly planners?: Planners;
  readonly recorder?: DecisionRecorder;
  /** Absent: secrets stay sealed as they are. */
  readonly sealer?: SecretSealer;
  /** What services are scaled by. Absent: none is. */
  readonly measures?: Measures;
  /** Earlier Revisions of each App that are kept. Default: `REVISION_HISTORY_LIMIT`. */
  readonly revisionHistoryLimit?: number;
}

/** The decisions of the reconcile loop. */
export const PLANNERS: Planners = { service: planService, app: planApp, nodes: planNodes, volumes: planVolumes };

/** What every replica runs beside its API: its picture of the cluster, its own key, events, and the election with the leader's work. */
export class CoreLoop implements Loop {
  readonly cluster: ClusterWatch;
  readonly events: EventLoop;
  readonly registration: RegistrationLoop;
  readonly leadership: LeadershipLoop;
  #newestTerm: ReconcileLoop | undefined;

  constructor(options: CoreOptions) {
    const { store, clock, logger, random, record, recorder, times } = options;
    const cluster = new ClusterWatch({ store, clock, logger, relistMs: times.relistMs, random, ...(recorder === undefined ? {} : { onInput: input => { recorder.input(input); } }) });
    const planners = recorder?.planners(options.planners ?? PLANNERS) ?? options.planners ?? PLANNERS;
    const events = new EventLoop({ store, cluster, clock, logger, ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }) });
    const revisions = new RevisionCache(store);
    this.cluster = cluster;
    this.events = events;
    this.registration = new RegistrationLoop({ store, clock, record, leaseMs: times.leaseMs });
    this.leadership = new LeadershipLoop({
      store, clock, logger, cluster, record, leaseMs: times.leaseMs,
      work: term => {
        this.#newestTerm = new ReconcileLoop({ ...options, planners, cluster, events, revisions }, term);
        const { measures, sealer } = options;
        return together({
          reconcile: this.#newestTerm, contents: new ContentLoop({ store, clock, logger, cluster }, term),
          revisions: new RevisionLoop({ store, clock, logger, cluster, limit: options.revisionHistoryLimit ?? REVISION_HISTORY_LIMIT }, term),
          ...(sealer === undefined ? {} : { keyRotation: new KeyRotationLoop({ store, clock, logger, sealer }, term) }),
          ...(measures === undefined ? {} : { autoscale: new AutoscaleLoop({ store, clock, logger, cluster, events, measures }, term) }),
        });
      },
    });
  }

  /** Of this controller's newest term. */
  isBreakerOpen(): boolean {
    return this.#newestTerm?.breaker.isOpen === true;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { cluster, events, leadership, registration } = this;
    await superviseLoops({ cluster, events, leadership, registration }, signal);
  }
}

function together(loops: Readonly<Record<string, Loop>>): Loop {
  return { run: async signal => { await superviseLoops(loops, signal); } };
}
