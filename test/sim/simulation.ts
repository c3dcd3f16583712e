/**
 * The pure planners against a cluster of fake nodes on a virtual clock.
 *
 * Faults for a while (nodes cut, rebooted, drained, tasks crashing, statuses late, doubled and reordered, leaders replaced, plans
 * lost), operators at work, then quiet: the invariants hold after each step, and in the end observed equals desired.
 */
import { createHash } from 'node:crypto';
import { appId } from '#model/ids.ts';
import type { Service } from '#model/app.ts';
import { isFinished, isServing } from '#model/task.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { countSilence, newCounter } from '../../controller/reconcile/liveness.ts';
import type { SilenceCounter } from '../../controller/reconcile/liveness.ts';
import { NO_EVIDENCE, awayForMs, planNodes } from '../../controller/reconcile/node-plan.ts';
import type { NodeEvidence } from '../../controller/reconcile/node-plan.ts';
import type { PlanContext } from '../../controller/reconcile/plan-context.ts';
import type { Action, Plan } from '../../controller/reconcile/plan.ts';
import { planService } from '../../controller/reconcile/service-plan.ts';
import { templateHash } from '../../controller/api/revision.ts';
import { T0, app, node, resources, revisionWith, service } from '../support/builders.ts';
import { Random } from './random.ts';
import { SimNode } from './sim-node.ts';
import { SimStore } from './sim-store.ts';

const STEP_MS = 500;
const FAULTS_MS = 300_000;
/** Back-off up to 5 min, monitoring, LOST + EVICT and one slot after the other: all must be over by then. */
const QUIET_MS = 900_000;
const TIMES = DEFAULT_TIMES;
const SERVICES = ['web', 'db', 'agent', 'report'] as const;
const HEALTHCHECK = { action: { kind: 'tcp', port: 80 }, intervalMs: 1_000, timeoutMs: 1_000, retries: 3, startPeriodMs: 0 } as const;

export interface SimulationReport {
  readonly seed: number;
  readonly traceHash: string;
  /** How often each kind of action was taken, with its reason: shows what a run reached. */
  readonly actions: ReadonlyMap<string, number>;
  readonly violations: readonly string[];
}

/** Runs one seed to its end, or to its first violation. */
export function simulate(seed: number, options: { readonly isShuffled: boolean }): SimulationReport {
  const simulation = new Simulation(seed, options.isShuffled);
  const violations: string[] = [];
  try {
    simulation.run();
  } catch (error) {
    violations.push(`at ${String(simulation.nowMs - T0)} ms: ${error instanceof Error ? error.message : String(error)}`);
  }
  return { seed, violations, ...simulation.trace() };
}

class Simulation {
  nowMs = T0;
  readonly #random: Random;
  readonly #store: SimStore;
  readonly #nodes: readonly SimNode[];
  readonly #counters = new Map<string, SilenceCounter>();
  readonly #hash = createHash('sha256');
  readonly #inFlight: { readonly atMs: number; readonly status: TaskStatus }[] = [];
  readonly #wakes = new Map<string, number>();
  #plannedRevision = 0;
  #evidence: NodeEvidence = NO_EVIDENCE;
  readonly #actions = new Map<string, number>();
  #revision = 0;
  /** Half of the seeds: `db` has a volume a replica, and nodes have room; else nodes are tight. */
  readonly #hasData: boolean;
  /** `slot/template` of job tasks that completed. */
  readonly #complete = new Set<string>();

  constructor(seed: number, isShuffled: boolean) {
    this.#random = new Random(seed);
    this.#hasData = seed % 2 === 0;
    this.#store = new SimStore(isShuffled);
    const count = this.#random.between(2, 5);
    this.#nodes = Array.from({ length: count }, (_, index) => this.#addNode(`n${String(index + 1)}`));
    this.#store.put(this.#store.controllers, 'c1', { id: 'c1', apiAddress: '', metricsAddress: '', startedAtMs: T0 });
    this.#store.put(this.#store.apps, appId('default', 'shop'), app('shop'));
    for (const name of SERVICES) {
      this.#applyService(name, 'good');
    }
  }

  trace(): Pick<SimulationReport, 'traceHash' | 'actions'> {
    return { traceHash: this.#hash.digest('hex'), actions: this.#actions };
  }

  run(): void {
    while (this.nowMs < T0 + FAULTS_MS) {
      this.#disturb();
      this.#step(0.002);
    }
    this.#calm();
    while (this.nowMs < T0 + FAULTS_MS + QUIET_MS) {
      this.#step(0);
    }
    this.#checkConverged();
  }

  #addNode(name: string): SimNode {
    const store = this.#store;
    store.put(store.nodes, name, node(name, { capacity: resources(this.#hasData ? 2_500 : 1_150, 2_048) }));
    store.put(store.sessions, name, { node: node(name).id, sessionId: `s-${name}`, controllerId: 'c1', openedAtMs: T0, instanceNonce: '' });
    this.#counters.set(name, newCounter(T0, false));
    return new SimNode(node(name).id, this.#random);
  }

  /** An apply: a new Revision of one service, with a template that runs or one that crashes. */
  #applyService(name: string, quality: 'good' | 'bad'): void {
    this.#revision += 1;
    const kind = ({ web: 'service', db: 'stateful', agent: 'global', report: 'job' } as const)[name] ?? 'service';
    const base = service({
      name, kind, revision: this.#revision,
      ...(kind === 'global' ? {} : { replicas: kind === 'job' ? 2 : this.#random.between(1, 4) }),
      ...(name === 'web' ? { dependsOn: [{ service: 'db', condition: 'service_started' }] } : {}),
      ...(name === 'web' ? { update: { maxSurge: this.#random.between(0, 2), maxUnavailable: this.#random.between(0, 1) } } : {}),
      ...(kind === 'stateful' && this.#hasData ? { volumes: [{ name: 'data', perReplica: true }] } : {}),
      container: {
        image: `docker.io/library/${quality}:${String(this.#revision)}`, requests: resources(150, 100), healthcheck: HEALTHCHECK,
        volumes: kind === 'stateful' && this.#hasData ? [{ kind: 'volume', source: 'data', target: '/data', readOnly: false }] : [],
      },
    });
    const made: Service = { ...base, templateHash: templateHash(base.spec, base.pins, base.volumes, 0) };
    this.#store.put(this.#store.services, made.id, made);
    this.#store.revisions.set(`${appId('default', 'shop')}/${String(this.#revision)}`, revisionWith(made));
  }

  #disturb(): void {
    const random = this.#random;
    const target = random.pick(this.#nodes);
    if (target === undefined) {
      return;
    }
    const disturbances: readonly (readonly [probability: number, act: () => void])[] = [
      [0.01, () => { target.cut(this.nowMs); }],
      [0.03, () => { target.heal(); }],
      [0.003, () => { target.reboot(this.nowMs); }],
      [0.01, () => { this.#setAvailability(target.id, random.pick(['active', 'active', 'cordoned', 'draining'] as const) ?? 'active'); }],
      [0.01, () => { this.#evidence = NO_EVIDENCE; }],
      [0.01, () => { this.#applyService(random.pick(SERVICES) ?? 'web', random.chance(0.4) ? 'bad' : 'good'); }],
      [0.01, () => { this.#scale(random.pick(['web', 'db']) ?? 'web', random.between(0, 6)); }],
      [0.005, () => { this.#stopOne(); }],
    ];
    for (const [probability, act] of disturbances) {
      if (random.chance(probability)) {
        act();
      }
    }
  }

  #setAvailability(id: string, availability: 'active' | 'cordoned' | 'draining'): void {
    const current = this.#store.nodes.get(id)?.value;
    if (current !== undefined) {
      this.#store.put(this.#store.nodes, id, { ...current, availability });
    }
  }

  #scale(name: string, replicas: number): void {
    const current = this.#store.services.get(`default/shop/${name}`)?.value;
    if (current !== undefined) {
      this.#store.put(this.#store.services, current.id, { ...current, spec: { ...current.spec, replicas } });
    }
  }

  /** `clusterctl stop` of some task that has not ended. */
  #stopOne(): void {
    const unfinished = [...this.#store.tasks.keys()].filter(id => !isFinished(this.#store.statuses.get(id)?.value.phase ?? 'pending'));
    const task = this.#random.pick(unfinished.sort());
    if (task !== undefined) {
      this.#store.apply({ kind: 'stop-task', taskId: task as Task['id'], reason: 'operator' });
    }
  }

  /** The last fault is over: all links heal, nodes take tasks again, and each service gets a template that runs. */
  #calm(): void {
    for (const one of this.#nodes) {
      one.heal();
      this.#setAvailability(one.id, 'active');
    }
    for (const name of SERVICES) {
      this.#applyService(name, 'good');
    }
  }

  #step(crashRate: number): void {
    this.nowMs += STEP_MS;
    for (const one of this.#nodes) {
      one.step(this.nowMs, crashRate);
      this.#exchange(one);
    }
    this.#deliver();
    this.#checkExclusive();
    this.#planNodes();
    this.#planServices();
  }

  /** What a session carries, while it is not cut: heartbeats and statuses up, the assignment down. */
  #exchange(one: SimNode): void {
    const counter = this.#counters.get(one.id) ?? newCounter(this.nowMs, false);
    const event = one.isCut ? { kind: 'tick' } as const : { kind: 'heartbeat', ackEcho: 0, lastAckSent: 0 } as const;
    const step = countSilence(counter, event, this.nowMs, TIMES.lostMs);
    this.#counters.set(one.id, step.counter);
    if (step.transition !== undefined) {
      this.#store.apply({ kind: 'set-node-condition', node: one.id, condition: step.transition === 'silent' ? 'silent' : 'ready', reason: '' });
    }
    if (one.isCut) {
      return;
    }
    for (const status of one.statuses()) {
      if (this.#random.chance(0.5)) {
        this.#inFlight.push({ atMs: this.nowMs + this.#random.between(0, 2_000), status });
      }
    }
    if (this.#random.chance(0.6)) {
      const tasks = [...this.#store.tasks.values()].map(entry => entry.value).filter(task => task.node === one.id);
      one.assign(tasks.sort((left, right) => (left.id < right.id ? -1 : 1)), this.nowMs);
    }
  }

  /** Statuses arrive in the order of their random delays: late, doubled, out of order. */
  #deliver(): void {
    const due = this.#inFlight.filter(message => message.atMs <= this.nowMs).sort((left, right) => left.atMs - right.atMs);
    const later = this.#inFlight.filter(message => message.atMs > this.nowMs);
    this.#inFlight.splice(0, this.#inFlight.length, ...later);
    for (const { status } of due) {
      this.#store.report(status);
      const task = this.#store.tasks.get(status.id)?.value;
      if (task?.kind === 'job' && task.desired === 'run' && this.#store.statuses.get(task.id)?.value.phase === 'complete') {
        this.#complete.add(`${String(task.slot)}/${task.templateHash}`);
      }
    }
  }

  #planNodes(): void {
    const plan = planNodes(this.#store.snapshot(), this.#evidence, { monotonicMs: this.nowMs, times: TIMES });
    this.#evidence = plan.evidence;
    for (const action of plan.actions) {
      this.#checkSilence(action);
    }
    this.#apply(plan);
  }

  /** The reconcile loop: looks when something changed or a plan asked to be woken; now and then a plan is lost. */
  #planServices(): void {
    const isDue = [...this.#wakes.values()].some(atMs => atMs <= this.nowMs);
    if (this.#store.etcdRevision === this.#plannedRevision && !isDue) {
      return;
    }
    this.#plannedRevision = this.#store.etcdRevision;
    for (const id of [...this.#store.services.keys()].sort()) {
      const snapshot = this.#store.snapshot();
      const plan = planService(snapshot, id as Service['id'], this.#context());
      this.#wakes.delete(id);
      if (plan.wakeAtMs !== undefined) {
        this.#wakes.set(id, plan.wakeAtMs);
      }
      if (this.#random.chance(0.05)) {
        this.#plannedRevision = -1;
        continue;
      }
      const before = this.#servingSlots(id);
      this.#apply(plan);
      this.#checkReplaced(id, plan, before);
    }
  }

  #context(): PlanContext {
    return {
      nowMs: this.nowMs, clusterId: 'sim', times: TIMES, awayForMs: one => awayForMs(this.#evidence, one, { monotonicMs: this.nowMs, times: TIMES }),
      revisionOf: (of, number) => this.#store.revisions.get(`${of}/${String(number)}`),
    };
  }

  #apply(plan: Plan): void {
    for (const action of plan.actions) {
      this.#hash.update(JSON.stringify(action));
      const kind = `${action.kind}${'reason' in action && action.kind !== 'rollback-service' ? ` ${action.reason}` : ''}`;
      this.#actions.set(kind, (this.#actions.get(kind) ?? 0) + 1);
      this.#checkJob(action);
      this.#store.apply(action);
    }
  }

  /** A job's slot that completed is not run again. */
  #checkJob(action: Action): void {
    if (action.kind === 'create-task' && action.task.kind === 'job' && this.#complete.has(`${String(action.task.slot)}/${action.task.templateHash}`)) {
      throw new Error(`job slot ${String(action.task.slot)} is run again after it completed`);
    }
  }

  #tasksOf(id: string): readonly Task[] {
    return [...this.#store.tasks.values()].map(entry => entry.value).filter(task => task.serviceId === id);
  }

  #servingSlots(id: string): ReadonlySet<number> {
    return new Set(this.#tasksOf(id).filter(task => this.#isServing(task)).map(task => task.slot));
  }

  #isServing(task: Task): boolean {
    const status = this.#store.statuses.get(task.id)?.value;
    return task.desired === 'run' && status !== undefined && isServing(status) && this.#store.nodes.get(task.node)?.value.condition !== 'lost';
  }

  /** I7: what a plan itself takes away stays within max_unavailable, what it adds within max_surge. */
  #checkReplaced(id: string, plan: Plan, before: ReadonlySet<number>): void {
    const current = this.#store.services.get(id)?.value;
    if (current?.spec.kind !== 'service') {
      return;
    }
    const { replicas, update } = current.spec;
    const wanted = [...before].filter(slot => slot < replicas);
    const after = [...this.#servingSlots(id)].filter(slot => slot < replicas);
    const unavailable = update.maxSurge === 0 ? Math.max(1, update.maxUnavailable) : update.maxUnavailable;
    if (after.length < wanted.length && after.length < replicas - unavailable) {
      throw new Error(`I7: ${id} serves ${String(after.length)} of ${String(replicas)} after ${JSON.stringify(plan.actions)}`);
    }
    const copies = this.#tasksOf(id).filter(task => !isFinished(this.#store.statuses.get(task.id)?.value.phase ?? 'pending')
      && this.#store.nodes.get(task.node)?.value.condition !== 'lost').length;
    if (plan.actions.some(action => action.kind === 'create-task') && copies > replicas + update.maxSurge) {
      throw new Error(`I7: ${id} has ${String(copies)} copies for ${String(replicas)} + ${String(update.maxSurge)}`);
    }
  }

  /** I11: never two running copies of one replica of a held service, whatever the controllers know. */
  #checkExclusive(): void {
    const owners = new Map<string, string>();
    for (const task of this.#nodes.flatMap(one => one.running()).filter(running => running.kind === 'stateful')) {
      const replica = `${task.serviceId}/${String(task.slot)}`;
      const other = owners.get(replica);
      if (other !== undefined) {
        throw new Error(`I11: ${replica} runs as ${other} and ${task.id}`);
      }
      owners.set(replica, task.id);
    }
  }

  /** I18: a node is lost only after it really was cut for LOST + EVICT. */
  #checkSilence(action: Action): void {
    if (action.kind !== 'set-node-condition') {
      return;
    }
    const cutSinceMs = this.#nodes.find(one => one.id === action.node)?.cutSinceMs ?? this.nowMs;
    if (this.nowMs - cutSinceMs < TIMES.lostMs + TIMES.evictMs - STEP_MS) {
      throw new Error(`I18: ${action.node} is lost after ${String(this.nowMs - cutSinceMs)} ms of silence`);
    }
  }

  /** I15: each wanted slot has one task that serves (or is complete), nothing else runs, and there is nothing left to do. */
  #checkConverged(): void {
    for (const [id, { value: current }] of this.#store.services) {
      const plan = planService(this.#store.snapshot(), current.id, this.#context());
      const rollout = this.#store.serviceStatuses.get(id)?.value.rollout;
      const { kind, replicas } = current.spec;
      const wanted = kind === 'global' ? this.#nodes.length : replicas;
      const good = this.#tasksOf(id).filter(task => task.templateHash === current.templateHash
        && (kind === 'job' ? this.#store.statuses.get(task.id)?.value.phase === 'complete' : this.#isServing(task)));
      const running = this.#nodes.flatMap(one => one.running()).filter(task => task.serviceId === id).length;
      const isQuiet = plan.actions.every(action => action.kind === 'remove-task');
      if (!isQuiet || good.length !== wanted || running !== (kind === 'job' ? 0 : wanted) || rollout?.state !== 'settled') {
        throw new Error(`I15: ${id} wants ${String(wanted)}, ${String(good.length)} are good, ${String(running)} run, ${JSON.stringify(rollout)}, next ${JSON.stringify(plan.actions.map(one => one.kind))}`);
      }
    }
  }
}
