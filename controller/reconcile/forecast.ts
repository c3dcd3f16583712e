/** The reconcilers stepped forward on paper: the same planners, in the order of the loop, until nothing moves any more. */
import { parseAppId, parseServiceId } from '#model/ids.ts';
import type { TaskId } from '#model/ids.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { ClusterChange } from '../store/snapshot.ts';
import { KeptTable } from '../schedule/kept-table.ts';
import { affectedKeys, allKeys, waitingServices } from './affected-keys.ts';
import type { ReconcileKey } from './affected-keys.ts';
import { planApp } from './app-plan.ts';
import type { PaperCluster } from './paper-cluster.ts';
import type { PlanContext } from './plan-context.ts';
import { EMPTY_PLAN } from './plan.ts';
import type { Plan } from './plan.ts';
import { planService } from './service-plan.ts';

/** Turns until a cluster that does not come to rest is left as it is; each service of a rollout takes a few per task. */
const MAX_TURNS = 200_000;

/** Waits on paper for the leader's turns, tasks' starts and ends, monitors and back-offs. */
export class Forecast {
  readonly #paper: PaperCluster;
  readonly #context: PlanContext;
  readonly #queue = new Set<ReconcileKey>();
  readonly #wakes = new Map<ReconcileKey, number>();
  readonly #stops = new Map<TaskId, string>();
  #nowMs: number;
  #turns = 0;
  #hasRoom = false;
  #hasBegun = false;
  readonly #table = new KeptTable();

  constructor(paper: PaperCluster, context: PlanContext) {
    this.#paper = paper;
    this.#context = context;
    this.#nowMs = context.nowMs;
  }

  /** Why tasks were told to stop. */
  get stops(): ReadonlyMap<TaskId, string> {
    return this.#stops;
  }

  /** What the loop looks at after `change`, in its order. */
  request(change: ClusterChange): void {
    this.#table.touch(change);
    for (const key of affectedKeys(change, this.#paper.snapshot)) {
      this.#queue.add(key);
    }
    this.#hasRoom ||= change.kinds.has('status') || change.kinds.has('task');
  }

  /** All that is requested, as the leader looks at it before any agent answers. */
  settleDecisions(): void {
    while (this.#takeTurn());
  }

  /** Goes on until no task moves, no plan acts and no rollout waits for the clock. False: it did not come to rest. */
  run(): boolean {
    for (;;) {
      const progress = this.step(MAX_TURNS);
      if (progress !== 'more') {
        return progress === 'rest';
      }
    }
  }

  /** At most so many turns of the leader, of which `rest` says that none is left and `endless` that there are too many. */
  step(turns: number): 'rest' | 'endless' | 'more' {
    this.#begin();
    for (let turn = 0; turn < turns; turn += 1) {
      if (this.#turns >= MAX_TURNS) {
        return 'endless';
      }
      if (!this.#takeTurn() && !this.#moveTasks() && !this.#lookForRoom() && !this.#wake()) {
        return 'rest';
      }
    }
    return 'more';
  }

  #begin(): void {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      allKeys(this.#paper.snapshot).forEach(key => this.#queue.add(key));
    }
  }

  /** False: nothing is requested. */
  #takeTurn(): boolean {
    const [key] = this.#queue;
    if (key === undefined || this.#turns >= MAX_TURNS) {
      return false;
    }
    this.#queue.delete(key);
    this.#turns += 1;
    this.#turn(key);
    return true;
  }

  #turn(key: ReconcileKey): void {
    const plan = this.#plan(key);
    this.#wakes.delete(key);
    if (plan.wakeAtMs !== undefined) {
      this.#wakes.set(key, plan.wakeAtMs);
    }
    for (const action of plan.actions) {
      if (action.kind === 'stop-task') {
        this.#stops.set(action.taskId, action.reason);
      }
      this.request(this.#paper.apply(action));
    }
    if (plan.actions.length > 0) {
      this.#queue.add(key);
    }
  }

  #plan(key: ReconcileKey): Plan {
    const { snapshot } = this.#paper;
    if (key.startsWith('service/')) {
      const id = parseServiceId(key.slice('service/'.length));
      // The clock of a forecast is ahead of the real one: the times of a cron come with the real one.
      const nowMs = snapshot.services.get(id)?.value.spec.kind === 'cron' ? this.#context.nowMs : this.#nowMs;
      return planService(snapshot, id, { ...this.#context, ignoresDeadlines: true, nowMs, table: () => this.#table.at(snapshot) });
    }
    return key.startsWith('app/') ? planApp(snapshot, parseAppId(key.slice('app/'.length)), this.#nowMs) : EMPTY_PLAN;
  }

  #moveTasks(): boolean {
    const statuses = this.#paper.taskEvents(this.#nowMs);
    statuses.forEach(status => { this.request(this.#paper.report(status)); });
    return statuses.length > 0;
  }

  #lookForRoom(): boolean {
    const hadRoom = this.#hasRoom;
    this.#hasRoom = false;
    const waiting = hadRoom ? waitingServices(this.#paper.snapshot) : [];
    waiting.forEach(key => this.#queue.add(key));
    return waiting.length > 0;
  }

  /** Only what a rollout or a back-off waits for: records of ended tasks may lie. */
  #wake(): boolean {
    const due = [...this.#wakes].filter(([key]) => isUnderWay(this.#paper.snapshot, key)).sort(([, left], [, right]) => left - right);
    const [first] = due;
    if (first === undefined) {
      return false;
    }
    this.#nowMs = Math.max(this.#nowMs, first[1]);
    for (const [key, atMs] of due.filter(([, at]) => at <= this.#nowMs)) {
      this.#wakes.delete(key);
      this.#queue.add(key);
      this.#nowMs = Math.max(this.#nowMs, atMs);
    }
    return true;
  }
}

function isUnderWay(snapshot: ClusterSnapshot, key: ReconcileKey): boolean {
  const status = key.startsWith('service/') ? snapshot.serviceStatuses.get(parseServiceId(key.slice('service/'.length)))?.value : undefined;
  return status !== undefined && (status.rollout.state === 'progressing' || status.rollout.state === 'waiting' || status.crashLoops.length > 0);
}
