/** Random clusters and random changes: what the plan names, and where the tasks then run when agents take their time. */
import type { Service } from '#model/app.ts';
import type { ClusterPlan } from '#model/cluster-plan.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { parseServiceId } from '#model/ids.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { affectedKeys, allKeys, waitingServices } from '../../controller/reconcile/affected-keys.ts';
import type { ReconcileKey } from '../../controller/reconcile/affected-keys.ts';
import { planCluster } from '../../controller/reconcile/cluster-plan.ts';
import type { WouldBeApp } from '../../controller/reconcile/cluster-plan.ts';
import { PaperCluster } from '../../controller/reconcile/paper-cluster.ts';
import type { PlanContext } from '../../controller/reconcile/plan-context.ts';
import { planService } from '../../controller/reconcile/service-plan.ts';
import { isLive, rowsOf } from '../../controller/reconcile/task-row.ts';
import { templateHash } from '../../controller/api/revision.ts';
import type { ClusterChange } from '../../controller/store/snapshot.ts';
import { app, node, resources, service, snapshot, T0 } from '../support/builders.ts';
import { Random } from './random.ts';

const NAMES = ['api', 'cache', 'db', 'front', 'queue', 'web', 'worker'] as const;
const ZONES = ['a', 'b', 'c'] as const;
const TURN_MS = 100;
/** The longest monitor and many rounds of stops and starts. */
const LIMIT_MS = 3_600_000;

function contextAt(nowMs: number): PlanContext {
  return { nowMs, clusterId: 'sim', times: DEFAULT_TIMES, awayForMs: () => Number.POSITIVE_INFINITY, revisionOf: () => undefined };
}

/** One random cluster with an App on it, and a change after the other. */
export class PlanSimulation {
  readonly #random: Random;
  readonly #width: number;
  #nowMs = T0;
  #cluster: ClusterSnapshot;
  #revision = 0;

  /** @param width  services that one apply changes at most */
  constructor(seed: number, width: number) {
    this.#random = new Random(seed);
    this.#width = width;
    const nodes = Array.from({ length: this.#random.between(2, 7) }, (_, index) => node(`n${String(index + 1)}`, {
      capacity: resources(this.#random.between(6, 12) * 1_000, 16_384), labels: { zone: this.#random.pick(ZONES) ?? 'a' },
    }));
    this.#cluster = snapshot({ nodes, apps: [app()] });
  }

  /** Plans a random change, carries it out, and answers both pictures: `service/slot -> node`. */
  change(): { readonly plan: ClusterPlan; readonly planned: readonly string[]; readonly carriedOut: readonly string[] } {
    const wouldBe = this.#randomApply();
    const plan = planCluster(this.#cluster, { apps: [wouldBe], withoutNodes: [], addedNodes: [] }, contextAt(this.#nowMs));
    const planned = plan.actions.filter(action => action.kind !== 'stop').map(action => `${action.service}/${String(action.slot)} ${action.node}`).sort();
    this.#carryOut(wouldBe);
    return { plan, planned, carriedOut: this.#placements() };
  }

  #randomApply(): WouldBeApp {
    this.#revision += 1;
    const changed = this.#pickNames().map(name => this.#randomService(name));
    return { app: app('shop', { revision: this.#revision }), services: changed, isChanged: true };
  }

  #pickNames(): readonly string[] {
    const picked = Array.from({ length: this.#random.between(1, this.#width) }, () => this.#random.pick(NAMES) ?? 'web');
    return [...new Set<string>(picked)].sort();
  }

  #randomService(name: string): Service {
    const random = this.#random;
    const current = this.#cluster.services.get(service({ name }).id)?.value;
    const isNewTemplate = current === undefined || random.chance(0.5);
    const kind = name === 'db' || name === 'queue' ? 'stateful' : name === 'cache' ? 'global' : 'service';
    const made = service({
      name, kind, revision: this.#revision, ...(kind === 'global' ? {} : { replicas: random.between(0, 6) }),
      placement: { spread: random.chance(0.3) ? ['zone', 'node'] : [], require: random.chance(0.1) ? [{ label: 'zone', operator: '==', values: [random.pick(ZONES) ?? 'a'] }] : [] },
      ...(kind === 'stateful' ? {} : { update: { maxSurge: random.between(1, 2), maxUnavailable: random.between(0, 1) } }),
      container: isNewTemplate
        ? { image: `docker.io/library/${name}:${String(this.#revision)}`, requests: resources(random.between(1, 6) * 100, random.between(1, 4) * 64) }
        : current.spec.container,
    });
    return { ...made, templateHash: templateHash(made.spec, made.pins, made.volumes, 0) };
  }

  /** The reconcile loop with agents that start and end tasks after random times. */
  #carryOut({ app: changed, services }: WouldBeApp): void {
    const paper = new PaperCluster(this.#cluster);
    const queue = new Set<ReconcileKey>();
    const wakes = new Map<ReconcileKey, number>();
    const due = new Map<string, number>();
    const request = (change: ClusterChange): void => { affectedKeys(change, paper.snapshot).forEach(key => queue.add(key)); };
    request(paper.putApp(changed, services));
    for (const endMs = this.#nowMs + LIMIT_MS; this.#nowMs < endMs;) {
      const [key] = queue;
      if (key === undefined && paper.taskEvents(this.#nowMs).length === 0 && wakes.size === 0) {
        break;
      }
      if (key !== undefined) {
        queue.delete(key);
        this.#turn(key, { paper, queue, wakes, request });
      }
      this.#nowMs += key === undefined ? TURN_MS : 5;
      this.#report(paper, due, request);
      for (const [waiting, atMs] of wakes) {
        if (atMs <= this.#nowMs) {
          wakes.delete(waiting);
          queue.add(waiting);
        }
      }
    }
    this.#cluster = paper.snapshot;
  }

  #turn(key: ReconcileKey, loop: {
    readonly paper: PaperCluster; readonly queue: Set<ReconcileKey>; readonly wakes: Map<ReconcileKey, number>; readonly request: (change: ClusterChange) => void;
  }): void {
    if (!key.startsWith('service/')) {
      return;
    }
    const plan = planService(loop.paper.snapshot, parseServiceId(key.slice('service/'.length)), contextAt(this.#nowMs));
    for (const action of plan.actions) {
      loop.request(loop.paper.apply(action));
    }
    if (plan.actions.length > 0) {
      loop.queue.add(key);
    } else if (plan.wakeAtMs !== undefined && loop.paper.snapshot.serviceStatuses.get(parseServiceId(key.slice('service/'.length)))?.value.rollout.state === 'progressing') {
      loop.wakes.set(key, plan.wakeAtMs);
    }
  }

  /** Each thing that an agent says next comes after a time of its own: starts 0.1 to 3 s, ends 0.1 to 10 s. */
  #report(paper: PaperCluster, due: Map<string, number>, request: (change: ClusterChange) => void): void {
    for (const status of paper.taskEvents(this.#nowMs)) {
      const event = `${status.id} ${status.phase}`;
      const atMs = due.get(event) ?? this.#nowMs + this.#random.between(100, status.phase === 'complete' ? 10_000 : 3_000);
      due.set(event, atMs);
      if (atMs <= this.#nowMs) {
        request(paper.report(status));
        waitingServices(paper.snapshot).forEach(key => { request({ etcdRevision: 0, kinds: new Set(), apps: new Set(), services: new Set([parseServiceId(key.slice('service/'.length))]), nodes: new Set(), tasks: new Set() }); });
      }
    }
  }

  #placements(): readonly string[] {
    return [...this.#cluster.services.keys()].flatMap(id => rowsOf(this.#cluster, id).filter(isLive))
      .map(({ task }) => `${task.serviceId}/${String(task.slot)} ${task.node}`).sort();
  }

  /** Nothing is left to decide. */
  isAtRest(): boolean {
    return allKeys(this.#cluster).every(key => !key.startsWith('service/')
      || planService(this.#cluster, parseServiceId(key.slice('service/'.length)), contextAt(this.#nowMs)).actions.every(action => action.kind === 'remove-task'));
  }
}
