/** The people at a simulated cluster: each call goes to some controller, and is repeated with the same request id until it is answered. */
import type { AppSpec } from '#model/app.ts';
import { ClusterError, isRetryable } from '#model/errors.ts';
import { parseNodeId, parseServiceId } from '#model/ids.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { ControlHandlers, Peer } from '#model/ports.ts';
import type { ServiceSpec } from '#model/service.ts';
import { resources, service } from '../support/builders.ts';
import { Random } from './random.ts';
import type { SimChecker } from './sim-checker.ts';
import { callOver, uuid } from './sim-controller.ts';
import type { SimController } from './sim-controller.ts';
import type { SimEtcd } from './sim-etcd.ts';
import type { Disturbance } from './sim-schedule.ts';
import { SimProcess } from './sim-time.ts';

const OPERATOR: Peer = { role: 'operator', name: 'ann', address: '' };
const HEALTHCHECK = { action: { kind: 'tcp', port: 80 }, intervalMs: 1_000, timeoutMs: 1_000, retries: 3, startPeriodMs: 0 } as const;
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
      case 'apply': await this.apply(what.app, what.draw, false); break;
      case 'scale': await this.#scale(what.draw); break;
      case 'restart': await this.#restart(what.draw); break;
      case 'stop-task': await this.#stopTask(what.draw); break;
      case 'delete-app': await this.#deleteApp(); break;
      case 'bad-input': await this.#badInput(what.draw); break;
      case 'availability': await this.setAvailability(parseNodeId(`n${String(what.who + 1)}`), what.to); break;
      default: throw new Error(`${what.kind} is not an operator's`);
    }
  }

  /** @param draw  what the App is like; the same draw gives the same App but for its image tags */
  async apply(app: 'shop' | 'side', draw: number, isGood: boolean): Promise<void> {
    this.#applied += 1;
    const spec = app === 'shop' ? shop(new Random(draw), this.#applied, isGood) : side(new Random(draw), this.#applied, isGood);
    const outcome = await this.#call(`apply ${app}`, (control, requestId) => control.apply({ requestId, app: spec, isDryRun: false }, OPERATOR));
    if (outcome !== undefined) this.#acknowledged.set(app, outcome.revision);
  }

  async #scale(draw: number): Promise<void> {
    const random = new Random(draw);
    const target = parseServiceId(`default/${random.pick(['shop/web', 'shop/db', 'side/api']) ?? 'shop/web'}`);
    const replicas = random.between(0, 5);
    await this.#call('scale', (control, requestId) => control.scale({ requestId, service: target, replicas }, OPERATOR));
  }

  async #restart(draw: number): Promise<void> {
    const target = parseServiceId(`default/${new Random(draw).pick(['shop/web', 'shop/db', 'shop/agent', 'side/api']) ?? 'shop/web'}`);
    await this.#call('restart', (control, requestId) => control.restart({ requestId, service: target }, OPERATOR));
  }

  async #stopTask(draw: number): Promise<void> {
    const task: TaskId | undefined = new Random(draw).pick([...this.#world.checker.snapshot.tasks.keys()].sort());
    if (task !== undefined) await this.#call('stop-task', (control, requestId) => control.stopTask({ requestId, task }, OPERATOR));
  }

  async #deleteApp(): Promise<void> {
    this.#acknowledged.delete('side');
    await this.#call('delete-app', (control, requestId) => control.deleteApp({ requestId, namespace: 'default', app: 'side' }, OPERATOR));
    this.#acknowledged.delete('side');
  }

  async setAvailability(node: NodeId, availability: 'active' | 'cordoned' | 'draining'): Promise<void> {
    await this.#call('availability', (control, requestId) => control.setAvailability({ requestId, node, availability }, OPERATOR));
  }

  /** I9, I10: a spec that breaks a rule, and a caller who may not. */
  async #badInput(draw: number): Promise<void> {
    const random = new Random(draw);
    const good = side(random, 0, true);
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

  /** Undefined when it was refused, or nobody answered for long. */
  async #call<Result>(what: string, ask: (control: ControlHandlers, requestId: string) => Promise<Result>): Promise<Result | undefined> {
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

function shop(random: Random, tag: number, isGood: boolean): AppSpec {
  const web = random.between(0, 2);
  const services: readonly ServiceSpec[] = [
    service({ name: 'agent', kind: 'global', container: program(random, tag, isGood) }).spec,
    service({
      name: 'db', kind: 'stateful', replicas: random.between(1, 3),
      container: { ...program(random, tag, isGood), volumes: [{ kind: 'volume', source: 'data', target: '/data', readOnly: false }] },
    }).spec,
    service({ name: 'report', kind: 'job', replicas: 2, container: { ...program(random, tag, true), image: `docker.io/library/work:${String(tag)}`, restart: { mode: 'on-failure', maxAttempts: 3, windowMs: 600_000, delayMs: 1_000 } } }).spec,
    service({
      name: 'web', replicas: random.between(1, 4), dependsOn: random.chance(0.5) ? [{ service: 'db', condition: 'service_started' }] : [],
      update: { maxSurge: web, maxUnavailable: web === 0 ? 1 : random.between(0, 1), monitorMs: 10_000 },
      placement: { spread: random.chance(0.5) ? ['zone'] : [] },
      container: { ...program(random, tag, isGood), healthcheck: HEALTHCHECK },
    }).spec,
  ];
  return { namespace: 'default', name: 'shop', services, configs: [], secrets: [], volumes: [{ name: 'data', perReplica: true }] };
}

/** One service with a config: its content is another in each apply. */
function side(random: Random, tag: number, isGood: boolean): AppSpec {
  const api = service({
    name: 'api', replicas: random.between(1, 3), update: { monitorMs: 10_000 },
    container: { ...program(random, tag, isGood), healthcheck: HEALTHCHECK, configs: [{ source: 'settings', target: '/etc/settings', mode: 0o444 }] },
  }).spec;
  return { namespace: 'default', name: 'side', services: [api], configs: [{ name: 'settings', content: Buffer.from(`tag=${String(tag)}`) }], secrets: [], volumes: [] };
}

/** Most are good; the rest crash, or are never healthy. Half of them are the same image as before. */
function program(random: Random, tag: number, isGood: boolean): { readonly image: string; readonly requests: ReturnType<typeof resources> } {
  const quality = isGood || random.chance(0.7) ? 'good' : random.chance(0.5) ? 'crash' : 'sick';
  return { image: `docker.io/library/${quality}:${isGood || random.chance(0.5) ? String(tag) : 'steady'}`, requests: resources(random.between(1, 3) * 50, 64) };
}
