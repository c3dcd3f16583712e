/**
 * The whole control plane in one process on a virtual clock: an etcd model, controllers and agents as they are shipped, over a network that
 * the seed cuts, slows and reorders in time. The same schedule gives the same run, byte by byte.
 */
import { parseNodeId } from '#model/ids.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { PLANNERS } from '../../controller/core-loop.ts';
import type { Planners } from '../../controller/reconcile/reconcile-loop.ts';
import { resources } from '../support/builders.ts';
import { pictureProblems, recordProblems, restProblems } from './sim-rest.ts';
import { Random } from './random.ts';
import { TAINT } from './sim-apps.ts';
import { SimAgent } from './sim-agent.ts';
import { SimChecker } from './sim-checker.ts';
import { SimController, TIMES } from './sim-controller.ts';
import { SimEtcd } from './sim-etcd.ts';
import { CountedLog } from './sim-log.ts';
import { SimLoad } from './sim-load.ts';
import { SimNet } from './sim-net.ts';
import { SimOperator } from './sim-operator.ts';
import { CONTROLLERS, FAULTS_END_MS, RUN_MS } from './sim-schedule.ts';
import type { Disturbance, Schedule, Step } from './sim-schedule.ts';
import { SimFaults } from './sim-faults.ts';
import { scaleProblems } from './sim-scale.ts';
import { SimTime } from './sim-time.ts';

export interface ClusterReport {
  readonly seed: number;
  readonly traceHash: string;
  readonly violations: readonly string[];
  /** How often each thing happened. */
  readonly reached: ReadonlyMap<string, number>;
}

/** One decision in so many is made again on the same snapshot in another order. */
const REPEAT_EACH = 25;
/** At rest this long before the end, and still at the end. */
const STAYS_MS = 10_000;
/** What must happen soon is looked for so often. */
const LOOK_EACH_MS = 1_000;
/** Clocks, messages on their way, and turns of loops: what counted silence may differ by. */
const SLACK_MS = 4_000;
/** With so few nodes none is tainted: the others would be too full. */
const TAINTED_OF = 3;
const APP_NAMES = ['shop', 'side', 'lab', 'busy'] as const;
const REPEATED: ReadonlySet<string> = new Set(['heartbeat', 'ack']);
/** A copy of these that is older than what came meanwhile is known as such. */
const OLD_AGAIN: ReadonlySet<string> = new Set(['assignment', 'endpoints', 'endpoint-change']);
const KNOWN_AGAIN: ReadonlySet<string> = new Set(['heartbeat', 'ack', 'assignment', 'endpoints', 'endpoint-change', 'assignment-gap', 'endpoints-gap']);

export interface SimulationOptions {
  /** Where each controller records its decisions, a file each. */
  readonly recordDir?: string;
}

/** Runs a schedule to its end, or to its first violation. */
export async function simulateCluster(schedule: Schedule, options: SimulationOptions = {}): Promise<ClusterReport> {
  const simulation = new ClusterSimulation(schedule, options);
  await simulation.run();
  const { checker } = simulation;
  return { seed: schedule.seed, traceHash: checker.traceHash(), violations: checker.violations, reached: checker.reached };
}

class ClusterSimulation {
  readonly checker: SimChecker;
  readonly #schedule: Schedule;
  readonly #time = new SimTime();
  readonly #net: SimNet;
  readonly #etcd: SimEtcd;
  readonly #controllers: readonly SimController[];
  readonly #agents: readonly SimAgent[];
  readonly #operator: SimOperator;
  readonly #faults: SimFaults;
  readonly #load: SimLoad;
  #decisions = 0;

  constructor(schedule: Schedule, { recordDir }: SimulationOptions) {
    this.#schedule = schedule;
    const random = new Random(schedule.seed);
    const time = this.#time;
    this.#load = new SimLoad(schedule.seed, time, () => this.checker.running);
    this.checker = new SimChecker(
      { nowMs: () => time.nowMs, lossMs: TIMES.lostMs + TIMES.evictMs - SLACK_MS, ackAgeMs: TIMES.leaseMs }, { load: this.#load, isClockTrue: () => this.#controllers.every(one => one.isClockTrue) },
    );
    this.#net = new SimNet(time, new Random(schedule.seed + 1_000_003));
    this.#etcd = new SimEtcd(time, this.#net, (batch, writer) => { this.checker.committed(batch, writer); });
    const onExit = (name: string, error: unknown): void => { this.checker.violate(`${name} ended by itself: ${error instanceof Error ? error.stack ?? error.message : String(error)}`); };
    const logs = new Map<string, CountedLog>();
    const log = (name: string): CountedLog => {
      const known = logs.get(name) ?? new CountedLog(() => time.nowMs, bytes => { this.checker.violate(`I17: ${name} logged ${String(bytes)} bytes within a minute`); });
      logs.set(name, known);
      return known;
    };
    this.#controllers = Array.from({ length: CONTROLLERS }, (_, index) => new SimController(`c${String(index + 1)}`, {
      etcd: this.#etcd, random: new Random(schedule.seed * 31 + index), planners: this.#planners(), load: this.#load, others: () => this.#controllers, onExit, log,
      ...(recordDir === undefined ? {} : { recordDir }),
    }));
    const net = this.#net;
    this.#agents = Array.from({ length: schedule.nodes }, (_, index) => new SimAgent(parseNodeId(`n${String(index + 1)}`), index, resources(random.between(12, 24) * 100, 2_048), {
      time, net, random: new Random(schedule.seed * 37 + index), controllers: this.#controllers, witness: this.checker, onExit, log,
      faults: { lostShare: 0.01, doubledShare: 0.02, mayBeLost: REPEATED, mayBeDoubled: KNOWN_AGAIN, mayBeLate: OLD_AGAIN },
      onDelivered: (node, { kind, settled }, sentAtMs) => { if (kind === 'ack' && settled?.length === 0) this.checker.acknowledged(node, sentAtMs); },
    }));
    this.#operator = new SimOperator(schedule.seed, { etcd: this.#etcd, controllers: this.#controllers, checker: this.checker });
    this.#faults = new SimFaults({ net, etcd: this.#etcd, controllers: this.#controllers, agents: this.#agents, onUntold: () => { this.checker.endpoints.untold(); } });
  }

  async run(): Promise<void> {
    const time = this.#time;
    const isOver = (): boolean => this.checker.violations.length > 0;
    this.#controllers.forEach((one, index) => { time.after(index * 300, () => { one.start(); }); });
    this.#agents.forEach((one, index) => { time.after(500 + index * 100, () => { one.start(); }); });
    const [, tainted] = this.#agents;
    if (tainted !== undefined && this.#agents.length > TAINTED_OF) this.#at(2_000, () => this.#operator.setTaints(tainted.node, [TAINT]));
    APP_NAMES.forEach((app, index) => { this.#at(3_000 + index * 500, () => this.#operator.apply(app, this.#schedule.seed, 'first')); });
    this.#lookWhatIsDue();
    this.#planSecondLife(new Random(this.#schedule.seed + 29));
    this.#schedule.steps.forEach(step => { this.#plan(step); });
    this.#at(FAULTS_END_MS, () => this.#calm());
    await time.runUntil(RUN_MS - STAYS_MS, isOver);
    this.#checkRest();
    await time.runUntil(RUN_MS, isOver);
    this.#checkRest();
  }

  /** I5, I8, I13, I15, I17. */
  #checkRest(): void {
    if (this.checker.violations.length === 0) {
      const problems = [...restProblems(this.checker, this.#agents), ...this.checker.endpoints.restProblems(this.#agents.map(({ node }) => node)), ...pictureProblems(this.checker, this.#controllers), ...recordProblems(this.checker), ...this.#operator.lostApplies(), ...scaleProblems(this.checker.snapshot, this.#load)];
      problems.slice(0, 3).forEach(problem => { this.checker.violate(problem); });
    }
  }

  /** The last fault is over: nodes take tasks again, and each App gets programs that run. */
  async #calm(): Promise<void> {
    // A drain that was asked for while nobody answered must not land after what follows.
    await this.#operator.quiet();
    for (const { node } of this.#agents) {
      await this.#operator.setAvailability(node, 'active');
    }
    await this.#operator.letGo();
    for (const app of APP_NAMES) {
      await this.#operator.apply(app, this.#schedule.seed, 'last');
    }
    this.#loseLeader(new Random(this.#schedule.seed + 11));
  }

  /** In most runs the App with volumes goes and comes again, once or twice. */
  #planSecondLife(random: Random): void {
    for (let times = random.between(0, 2); times > 0; times -= 1) {
      const draw = random.between(0, 1e9);
      this.#at(random.between(20_000, FAULTS_END_MS - 20_000), () => this.#operator.deleteData(draw));
    }
  }

  /** In half of the runs the leader dies soon after the last change, or that change is told to nobody: what follows sees no event of it (I5). */
  #loseLeader(random: Random): void {
    const time = this.#time;
    if (random.chance(0.5)) {
      this.#plan({ atMs: time.nowMs + random.between(0, 200), forMs: 2_000, what: { kind: 'kill-leader' } });
    }
    if (random.chance(0.3)) this.#faults.begin({ kind: 'lose-event' });
  }

  #at(atMs: number, work: () => Promise<void>): void {
    this.#time.at(atMs, () => {
      work().catch((error: unknown) => { this.checker.violate(`the simulation itself: ${error instanceof Error ? error.stack ?? error.message : String(error)}`); });
    });
  }

  #plan({ atMs, forMs, what }: Step): void {
    this.#time.at(atMs, () => {
      this.checker.reached.set(what.kind, (this.checker.reached.get(what.kind) ?? 0) + 1);
      const undo = this.#faults.begin(what);
      if (undo === undefined) {
        this.#operate(what);
        return;
      }
      this.checker.soon.fault(what, 1);
      this.#time.at(atMs + forMs, () => {
        undo();
        this.checker.soon.fault(what, -1);
      });
    });
  }

  #operate(what: Disturbance): void {
    this.#at(this.#time.nowMs, () => this.#operator.carryOut(what));
  }

  #lookWhatIsDue(): void {
    this.checker.soon.problems(this.checker.snapshot).forEach(problem => { this.checker.violate(problem); });
    this.#time.after(LOOK_EACH_MS, () => { this.#lookWhatIsDue(); });
  }

  /** The product's own, some of them twice: the same state in another order must give the same bytes (I4). */
  #planners(): Planners {
    const twice = <Result>(what: string, snapshot: ClusterSnapshot, plan: (of: ClusterSnapshot) => Result): Result => {
      const result = plan(snapshot);
      this.#decisions += 1;
      if (this.#decisions % REPEAT_EACH === 0) {
        const again = JSON.stringify(plan(reversed(snapshot)), replacer);
        if (again !== JSON.stringify(result, replacer)) this.checker.violate(`I4: ${what} is decided otherwise from the same state in another order`);
      }
      return result;
    };
    return {
      // In another order without the table that is kept between plans: it must say what a new one says.
      service: (snapshot, id, { table, ...context }) => twice(id, snapshot, of => PLANNERS.service(of, id, { ...context, ...(of === snapshot && table !== undefined ? { table } : {}) })),
      app: (snapshot, id, nowMs) => twice(id, snapshot, of => PLANNERS.app(of, id, nowMs)),
      volumes: (snapshot, nowMs) => twice('volumes', snapshot, of => PLANNERS.volumes(of, nowMs)),
      nodes: (snapshot, evidence, context) => twice('nodes', snapshot, of => PLANNERS.nodes(of, evidence, context)),
    };
  }
}

/** Each table once it is asked for: a plan reads few of them. */
function reversed(snapshot: ClusterSnapshot): ClusterSnapshot {
  const tables = new Map<string | symbol, unknown>();
  return new Proxy(snapshot, {
    get: (of, name) => {
      const value: unknown = Reflect.get(of, name);
      if (value instanceof Map && !tables.has(name)) tables.set(name, new Map([...value].reverse()));
      return tables.get(name) ?? value;
    },
  });
}

/** Maps by their keys: the order in which a plan's own table was filled is no part of it. */
function replacer(_key: string, value: unknown): unknown {
  return value instanceof Map ? [...value].sort(([left], [right]) => (String(left) < String(right) ? -1 : 1)) : value;
}
