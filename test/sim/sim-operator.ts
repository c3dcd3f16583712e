/** The people at a simulated cluster: each call goes to some controller, and is repeated with the same request id until it is answered. */
import type { AppSpec } from '#model/app.ts';
import { ClusterError, isRetryable } from '#model/errors.ts';
import { parseNodeId, parseServiceId } from '#model/ids.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import { ROLLOUT_ACTIONS } from '#model/ports.ts';
import type { ControlHandlers, Peer, TaskMove } from '#model/ports.ts';
import { Random } from './random.ts';
import { APPS } from './sim-apps.ts';
import type { AppName, AppPhase } from './sim-apps.ts';
import type { SimChecker } from './sim-checker.ts';
import { callOver, uuid } from './sim-controller.ts';
import type { SimController } from './sim-controller.ts';
import type { SimEtcd } from './sim-etcd.ts';
import type { Disturbance, OperatorCall } from './sim-schedule.ts';
import { SimProcess } from './sim-time.ts';

const OPERATOR: Peer = { role: 'operator', name: 'ann', address: '' };
const CALL_LIMIT_MS = 20_000;
const TRIES = 12;
/** Answers that say that the operator came too late or too early, not that anything is wrong. */
const FAIR_REFUSALS: ReadonlySet<string> = new Set(['NOT_FOUND', 'FAILED_PRECONDITION', 'CONFLICT', 'UNAVAILABLE', 'RESOURCE_EXHAUSTED']);

export interface OperatorWorld {
  readonly etcd: SimEtcd;
  readonly controllers: readonly SimController[];
  readonly checker: SimChecker;
}

export class SimOperator {
  readonly #world: OperatorWorld;
  readonly #process: SimProcess;
  readonly #random: Random;
  #applied = 0;
  /** The newest revision that was acknowledged, by App; none: it was deleted since. */
  readonly #acknowledged = new Map<string, number>();

  constructor(seed: number, world: OperatorWorld) {
    this.#world = world;
    this.#process = new SimProcess(world.etcd.time);
    this.#random = new Random(seed * 7 + 3);
  }

  /** I13: what was acknowledged is still there. */
  lostApplies(): readonly string[] {
    return [...this.#acknowledged].flatMap(([app, revision]) => {
      const now = [...this.#world.checker.snapshot.apps.values()].find(entry => entry.value.name === app)?.value.revision ?? 0;
      return now < revision ? [`I13: App ${app} is at revision ${String(now)}, ${String(revision)} was acknowledged`] : [];
    });
  }

  async carryOut(what: Disturbance): Promise<void> {
    switch (what.kind) {
      case 'apply': await this.apply(what.app, what.draw, 'drawn'); break;
      case 'availability': await this.setAvailability(parseNodeId(`n${String(what.who + 1)}`), what.to); break;
      default: {
        const call = this.#calls[what.kind as OperatorCall] as ((draw: number) => Promise<void>) | undefined;
        if (call === undefined) throw new Error(`${what.kind} is not an operator's`);
        await call('draw' in what ? what.draw : 0);
      }
    }
  }

  readonly #underWay = new Set<Promise<unknown>>();
  readonly #calls: Readonly<Record<OperatorCall, (draw: number) => Promise<void>>> = {
    scale: draw => this.#scale(draw), restart: draw => this.#restart(draw), 'stop-task': draw => this.#stopTask(draw), 'delete-app': () => this.#deleteApp('side', false), 'bad-input': draw => this.#badInput(draw),
    rollout: draw => this.#changeRollout(draw), undo: draw => this.#undo(draw), rebalance: () => this.#rebalance(), 'run-cron': () => this.#runCron(), quota: draw => this.#setQuota(draw),
  };

  /** @param draw  what the App is like; the same draw gives the same App but for its image tags */
  async apply(app: AppName, draw: number, phase: AppPhase): Promise<void> {
    this.#applied += 1;
    const spec = APPS[app](new Random(draw), this.#applied, phase);
    const outcome = await this.#call(`apply ${app}`, (control, requestId) => control.apply({ requestId, app: spec, isDryRun: false }, OPERATOR));
    if (outcome !== undefined) this.#acknowledged.set(app, outcome.revision);
  }

  async #scale(draw: number): Promise<void> {
    const random = new Random(draw);
    const target = parseServiceId(`default/${random.pick(['shop/web', 'shop/db', 'side/api', 'lab/canary', 'lab/green', 'lab/low', 'lab/high', 'busy/queue']) ?? 'shop/web'}`);
    const replicas = random.between(0, 5);
    await this.#call('scale', (control, requestId) => control.scale({ requestId, service: target, replicas }, OPERATOR));
  }

  async #restart(draw: number): Promise<void> {
    const target = parseServiceId(`default/${new Random(draw).pick(['shop/web', 'shop/db', 'shop/agent', 'side/api', 'lab/canary', 'lab/green', 'busy/crunch']) ?? 'shop/web'}`);
    await this.#call('restart', (control, requestId) => control.restart({ requestId, service: target }, OPERATOR));
  }

  async #changeRollout(draw: number): Promise<void> {
    const random = new Random(draw);
    const target = parseServiceId(`default/${random.pick(['shop/web', 'side/api', 'lab/canary', 'lab/canary', 'lab/green', 'lab/green']) ?? 'lab/canary'}`);
    const action = random.pick(ROLLOUT_ACTIONS) ?? 'promote';
    await this.#call(action, (control, requestId) => control.changeRollout({ requestId, service: target, action }, OPERATOR));
  }

  async #undo(draw: number): Promise<void> {
    const app = new Random(draw).pick(['shop', 'side', 'lab', 'busy'] as const) ?? 'shop';
    const outcome = await this.#call('undo', (control, requestId) => control.undo({ requestId, namespace: 'default', app }, OPERATOR));
    if (outcome !== undefined) this.#acknowledged.set(app, outcome.revision);
  }

  async #runCron(): Promise<void> {
    await this.#call('run-cron', (control, requestId) => control.runCron({ requestId, service: parseServiceId('default/lab/nightly') }, OPERATOR));
  }

  async #rebalance(): Promise<void> {
    const plan = await this.#call('plan moves', control => control.planMoves({ maxMoves: 5 }, OPERATOR));
    const moves = (plan?.actions ?? []).flatMap(({ kind, task, node }): readonly TaskMove[] => (kind === 'move' && task !== undefined ? [{ task, node }] : []));
    if (moves.length > 0) {
      this.#world.checker.count('moves');
      await this.#call('move', (control, requestId) => control.moveTasks({ requestId, moves }, OPERATOR));
    }
  }

  /** While something grows: each of the two may come first. */
  async #setQuota(draw: number): Promise<void> {
    const random = new Random(draw);
    const tasks = random.between(2, 25);
    const growing = random.chance(0.5) ? this.#scale(random.between(0, 1e9)) : this.apply(random.pick(['shop', 'side', 'lab', 'busy'] as const) ?? 'lab', random.between(0, 1e9), 'drawn');
    await Promise.all([growing, this.#putQuota(random.chance(0.2) ? {} : { tasks })]);
  }

  async #putQuota(limits: { readonly tasks?: number }): Promise<void> {
    await this.#call('quota', (control, requestId) => control.putNamespace({ requestId, name: 'default', quota: { ...limits, devices: [] } }, OPERATOR));
  }

  /** Nothing that an operator did keeps any service from what its App says. */
  async letGo(): Promise<void> {
    await this.#putQuota({});
    for (const { value } of [...this.#world.checker.snapshot.services.values()].filter(one => one.value.rollout?.isPaused === true)) {
      await this.#call('resume', (control, requestId) => control.changeRollout({ requestId, service: value.id, action: 'resume' }, OPERATOR));
    }
  }

  async #stopTask(draw: number): Promise<void> {
    const task: TaskId | undefined = new Random(draw).pick([...this.#world.checker.snapshot.tasks.keys()].sort());
    if (task !== undefined) await this.#call('stop-task', (control, requestId) => control.stopTask({ requestId, task }, OPERATOR));
  }

  async #deleteApp(app: AppName, withVolumes: boolean): Promise<void> {
    this.#acknowledged.delete(app);
    await this.#call('delete-app', (control, requestId) => control.deleteApp({ requestId, namespace: 'default', app, withVolumes }, OPERATOR));
    this.#acknowledged.delete(app);
  }

  /** The App with volumes goes, in some draws with its data, and comes again. */
  async deleteData(draw: number): Promise<void> {
    const random = new Random(draw);
    await this.#deleteApp('shop', random.chance(0.3));
    await this.apply('shop', random.between(0, 1e9), 'drawn');
  }

  async setAvailability(node: NodeId, availability: 'active' | 'cordoned' | 'draining'): Promise<void> {
    await this.#call('availability', (control, requestId) => control.setAvailability({ requestId, node, availability }, OPERATOR));
  }

  async setTaints(node: NodeId, taints: readonly string[]): Promise<void> {
    await this.#call('taints', (control, requestId) => control.setTaints({ requestId, node, taints }, OPERATOR));
  }

  /** I9, I10: a spec that breaks a rule, and a caller who may not. */
  async #badInput(draw: number): Promise<void> {
    const random = new Random(draw);
    const good = APPS.side(random, 0, 'last');
    const bad: AppSpec = { ...good, services: good.services.map(one => ({ ...one, replicas: -1 })) };
    await this.#refused('INVALID_ARGUMENT', (control, requestId) => control.apply({ requestId, app: bad, isDryRun: false }, OPERATOR));
    await this.#refused('PERMISSION_DENIED', (control, requestId) => control.apply({ requestId, app: good, isDryRun: false }, { role: 'node', name: 'n1', address: '' }));
  }

  async #refused(code: string, ask: (control: ControlHandlers, requestId: string) => Promise<unknown>): Promise<void> {
    const requestId = uuid(this.#random);
    const answer = await this.#once(requestId, ask).then(() => 'done', (error: unknown) => (error instanceof ClusterError ? error.code : String(error)));
    if (answer !== code && answer !== 'UNAVAILABLE') {
      this.#world.checker.violate(`${code === 'INVALID_ARGUMENT' ? 'I9' : 'I10'}: a bad apply was answered with ${answer}, not ${code}`);
    }
  }

  /** Returns once each call that is under way was answered or given up. */
  async quiet(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
  }

  async #call<Result>(what: string, ask: (control: ControlHandlers, requestId: string) => Promise<Result>): Promise<Result | undefined> {
    const call = this.#repeat(what, ask);
    this.#underWay.add(call);
    try {
      return await call;
    } finally {
      this.#underWay.delete(call);
    }
  }

  /** Undefined when it was refused, or nobody answered for long. */
  async #repeat<Result>(what: string, ask: (control: ControlHandlers, requestId: string) => Promise<Result>): Promise<Result | undefined> {
    const requestId = uuid(this.#random);
    for (let attempt = 1; attempt <= TRIES; attempt += 1) {
      try {
        return await this.#once(requestId, ask);
      } catch (error) {
        const isFair = error instanceof ClusterError && FAIR_REFUSALS.has(error.code);
        if (!isFair) {
          this.#world.checker.violate(`${what} was answered with ${error instanceof Error ? error.stack ?? error.message : String(error)}`);
          return undefined;
        }
        if (!isRetryable(error) && what.startsWith('apply')) {
          // An App of this name is being deleted.
        } else if (!isRetryable(error)) {
          return undefined;
        }
      }
      await this.#process.sleep(this.#random.between(500, 4_000), new AbortController().signal);
    }
    return undefined;
  }

  async #once<Result>(requestId: string, ask: (control: ControlHandlers, requestId: string) => Promise<Result>): Promise<Result> {
    const to = this.#random.pick(this.#world.controllers);
    return await callOver(this.#world.etcd, { name: 'operator', process: this.#process }, to, replica => ask(replica.control, requestId), CALL_LIMIT_MS);
  }
}
