/** I15 in time: what must happen soon while nothing disturbs it. Judged by the records and by what machines run, on virtual time. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { isFinished } from '#model/task.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import type { PlacementWatch } from './sim-placement.ts';
import type { Disturbance } from './sim-schedule.ts';
import { isServing, replicasOf } from './sim-budgets.ts';

const { lostMs, evictMs, evictPaceMs, leaseMs } = DEFAULT_TIMES;
/** Messages, turns of loops, and a leader that has just begun. */
const SLACK_MS = 6_000;
/** After the loss of its node, or once it fits: a plan and its write. */
const PLACED_MS = 6_000;
/** The longest delay between two of five attempts, a pull, and a start. */
const RUNNING_MS = 60_000;
/** The same of one that stopped itself while its node was cut off. */
const EXCLUSIVE_RUNNING_MS = 120_000;
/** The longest watch of a step, and what comes before and after it. */
const STEP_MS = 60_000;

const OF_NODES: ReadonlySet<string> = new Set([
  'kill-agent', 'pause-agent', 'full-disk', 'reboot', 'crashes', 'cut-node', 'cut-node-up', 'cut-node-down', 'slow-node', 'wall-agent', 'reset-session',
] satisfies Disturbance['kind'][]);

/** Something that must not stay so. `key` names it; `node`: faults of that node disturb it, those of others do not. */
interface Due {
  readonly key: string;
  readonly limitMs: number;
  readonly node?: NodeId;
}

export interface SoonWorld {
  readonly nowMs: () => number;
  readonly placement: PlacementWatch;
  readonly isRunning: (task: Task) => boolean;
  readonly lastAckMs: (node: NodeId) => number | undefined;
  /** Something of this kind is due from now on: shows what a run reached. */
  readonly onDue: (kind: string) => void;
}

export class SoonWatch {
  readonly #world: SoonWorld;
  readonly #since = new Map<string, number>();
  readonly #active = new Map<string, number>();
  /** Of each node the newest, with when it was first seen. */
  readonly #sessions = new Map<NodeId, { readonly session: string; readonly sinceMs: number }>();
  readonly #changedMs = new Map<string, number>();

  constructor(world: SoonWorld) {
    this.#world = world;
  }

  /** A fault begins (1) or ends (-1). */
  fault(what: Disturbance, change: 1 | -1): void {
    const place = OF_NODES.has(what.kind) && 'who' in what ? `n${String(what.who + 1)}` : '';
    this.#active.set(place, (this.#active.get(place) ?? 0) + change);
    this.#changedMs.set(place, this.#world.nowMs());
  }

  /** Now and then: what has been due for longer than it may. */
  problems(snapshot: ClusterSnapshot): readonly string[] {
    const nowMs = this.#world.nowMs();
    const due = this.#due(snapshot);
    const keys = new Set(due.map(({ key }) => key));
    for (const key of this.#since.keys()) {
      if (!keys.has(key)) this.#since.delete(key);
    }
    return due.flatMap(({ key, limitMs, node }) => {
      const places = ['', ...(node === undefined ? [] : [node])];
      if (places.some(place => (this.#active.get(place) ?? 0) > 0)) {
        this.#since.delete(key);
        return [];
      }
      const [kind = ''] = key.split(' ');
      if (!this.#since.has(key)) this.#world.onDue(kind);
      const sinceMs = Math.max(this.#since.get(key) ?? nowMs, ...places.map(place => this.#changedMs.get(place) ?? 0));
      this.#since.set(key, sinceMs);
      return nowMs - sinceMs > limitMs ? [`I15: ${key} for ${String(nowMs - sinceMs)} ms, ${String(limitMs)} are allowed`] : [];
    });
  }

  #due(snapshot: ClusterSnapshot): readonly Due[] {
    const services = [...snapshot.services.values()].map(({ value }) => value).filter(service => !service.isDeleting);
    const tasks = [...snapshot.tasks.values()].map(({ value }) => value).filter(task => task.desired === 'run');
    return [
      ...[...snapshot.nodes.keys()].flatMap(id => this.#absence(snapshot, id)),
      ...tasks.flatMap(task => [...this.#down(snapshot, task), ...replacement(snapshot, task)]),
      ...services.flatMap(service => [...this.#pending(snapshot, service), ...standstill(snapshot, service)]),
    ];
  }

  /** A node that nobody acknowledged for LOST is silent, then lost, where few are. */
  #absence(snapshot: ClusterSnapshot, id: NodeId): readonly Due[] {
    const nowMs = this.#world.nowMs();
    // Whoever counts begins anew with each session, and after each fault of the control plane once its lease is confirmed.
    const ageMs = nowMs - Math.max(this.#world.lastAckMs(id) ?? nowMs, this.#changedMs.get('') ?? 0, this.#openedMs(snapshot, id));
    const away = [...snapshot.nodes.values()].filter(({ value }) => value.condition !== 'ready').length;
    const condition = snapshot.nodes.get(id)?.value.condition;
    if (ageMs < lostMs || snapshot.massBreaker !== undefined || away > 1 || condition === 'lost') return [];
    const session = snapshot.sessions.get(id)?.value;
    // Nobody listens to it: the leader counts all of it alone.
    if (session === undefined || !snapshot.controllers.has(session.controllerId)) return [{ key: `unheard ${id}`, limitMs: evictMs + evictPaceMs + leaseMs + SLACK_MS }];
    return condition === 'ready' ? [{ key: `unnoticed ${id}`, limitMs: leaseMs + SLACK_MS }] : [{ key: `silent ${id}`, limitMs: evictMs + evictPaceMs + leaseMs + SLACK_MS }];
  }

  #openedMs(snapshot: ClusterSnapshot, id: NodeId): number {
    const session = snapshot.sessions.get(id)?.value.sessionId ?? '';
    const known = this.#sessions.get(id);
    if (known?.session === session) return known.sinceMs;
    this.#sessions.set(id, { session, sinceMs: this.#world.nowMs() });
    return this.#world.nowMs();
  }

  /** A task whose agent is at work runs: just placed, or crashed. */
  #down(snapshot: ClusterSnapshot, task: Task): readonly Due[] {
    const phase = phaseOf(snapshot, task);
    const isDue = !isFinished(phase) && task.kind !== 'job' && !task.isPaused && conditionOf(snapshot, task) === 'ready' && !this.#world.isRunning(task);
    return isDue ? [{ key: `down ${task.id} of ${task.name} on ${task.node}, ${phase} attempt ${String(snapshot.statuses.get(task.id)?.value.attempt ?? 0)}`, limitMs: task.stopAfterMs === undefined ? RUNNING_MS : EXCLUSIVE_RUNNING_MS, node: task.node }] : [];
  }

  /** A slot waits although the rules of its manifest allow it somewhere. Room that another slot waits for, or was foreseen for, is not its own. */
  #pending(snapshot: ClusterSnapshot, service: Service): readonly Due[] {
    const statuses = [...snapshot.serviceStatuses.values()].map(({ value }) => value);
    const slots = snapshot.serviceStatuses.get(service.id)?.value.pending ?? [];
    const isFree = slots.length > 0 && service.spec.kind === 'service' && service.spec.container.volumes.length === 0 && snapshot.namespaces.get(service.namespace)?.value.quota === undefined
      && statuses.every(({ id, pending, planned = [] }) => planned.length === 0 && (id === service.id || pending.length === 0));
    return !isFree ? [] : slots.filter(({ slot }) => this.#world.placement.allows(snapshot, service, slot).length > 0).map(({ slot }) => ({ key: `pending ${service.id} ${String(slot)}`, limitMs: PLACED_MS }));
  }
}

function isWaiting(snapshot: ClusterSnapshot, task: Task): boolean {
  const status = snapshot.serviceStatuses.get(task.serviceId)?.value;
  return status !== undefined && (status.pending.length > 0 || status.crashLoops.some(({ slot }) => slot === task.slot));
}

function phaseOf(snapshot: ClusterSnapshot, { id }: Task): TaskStatus['phase'] {
  return snapshot.statuses.get(id)?.value.phase ?? 'pending';
}

function conditionOf(snapshot: ClusterSnapshot, task: Task): Node['condition'] | undefined {
  return snapshot.nodes.get(task.node)?.value.condition;
}

/** A task of a lost node that may be replaced is, where there is room. A slot that crashes waits for its back-off. */
function replacement(snapshot: ClusterSnapshot, task: Task): readonly Due[] {
  const service = snapshot.services.get(task.serviceId)?.value;
  if (service?.spec.kind !== 'service' || service.spec.onDisconnect.kind !== 'replace' || task.stopAfterMs !== undefined) {
    return [];
  }
  const isLost = conditionOf(snapshot, task) === 'lost' && !isFinished(phaseOf(snapshot, task));
  return isLost && !isWaiting(snapshot, task) ? [{ key: `unreplaced ${task.id}`, limitMs: PLACED_MS }] : [];
}

/** A rollout of which every task serves gets on: more of them, or it is done. */
function standstill(snapshot: ClusterSnapshot, service: Service): readonly Due[] {
  const status = snapshot.serviceStatuses.get(service.id)?.value;
  if (status?.rollout.state !== 'progressing' || status.pending.length > 0 || service.spec.kind !== 'service' || service.spec.dependsOn.length > 0) {
    return [];
  }
  const tasks = [...snapshot.tasksOfService.get(service.id) ?? []].flatMap(id => snapshot.tasks.get(id)?.value ?? []);
  const isWell = tasks.every(task => task.desired === 'run' && isServing(snapshot, task)) && tasks.length > 0 && replicasOf(snapshot, service) > 0;
  const picture = tasks.map(({ id }) => id).sort().join();
  return isWell ? [{ key: `standstill ${service.id} ${String(service.revision)} ${picture}`, limitMs: STEP_MS }] : [];
}
