/** I19: what nodes have in force as endpoints, judged by the records alone: shares no code with what makes them. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { EndpointSet } from '#model/endpoints.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { Task } from '#model/task.ts';
import type { RecordKey } from '../../controller/store/keys.ts';
import { isServing } from './sim-budgets.ts';

const CONCERNS: ReadonlySet<string> = new Set(['task', 'status', 'node', 'service', 'service-status', 'mass-breaker']);
/** A mass of silent nodes, as reliability.md has it. */
const MASS = { share: 0.5, nodes: 2 };
/** So long after an event that was told to nobody a picture may lack it: RELIST, and the list. */
const UNTOLD_MS = 70_000;

/** Whether a task gets traffic, and since which revision that has been so. */
interface Standing {
  readonly gets: boolean;
  readonly revision: number;
}

export class EndpointWatch {
  readonly #nowMs: () => number;
  #standings = new Map<TaskId, Standing>();
  readonly #inForce = new Map<NodeId, EndpointSet>();
  /** When a revision was last told to nobody. */
  #untoldMs = -UNTOLD_MS;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  untold(): void {
    this.#untoldMs = this.#nowMs();
  }

  /** After each revision. */
  look(snapshot: ClusterSnapshot, revision: number, keys: readonly (RecordKey | undefined)[]): void {
    if (!keys.some(key => key !== undefined && CONCERNS.has(key.kind))) {
      return;
    }
    const getting = tasksWithTraffic(snapshot);
    const next = new Map<TaskId, Standing>();
    for (const id of new Set([...this.#standings.keys(), ...snapshot.tasks.keys()])) {
      const known = this.#standings.get(id);
      const gets = getting.has(id);
      next.set(id, known?.gets === gets ? known : { gets, revision });
    }
    this.#standings = next;
  }

  /** A node brings a set into force. What has not changed since the revision that it was made from must be in it as it is. */
  applied(node: NodeId, set: EndpointSet): readonly string[] {
    this.#inForce.set(node, set);
    // A picture that lacks a revision may be wrong in whatever follows from it, until it is listed again.
    return this.#nowMs() - this.#untoldMs < UNTOLD_MS ? [] : this.#differences(node, set, ({ revision }) => revision <= set.generation);
  }

  /** At rest every node has exactly what there is. */
  restProblems(nodes: readonly NodeId[]): readonly string[] {
    return nodes.flatMap(node => this.#differences(node, this.#inForce.get(node) ?? { generation: 0, services: [], nodes: [] }, () => true));
  }

  #differences(node: NodeId, set: EndpointSet, isSettled: (standing: Standing) => boolean): readonly string[] {
    const getting = new Set(set.services.flatMap(({ endpoints }) => endpoints.filter(({ isHealthy }) => isHealthy).map(({ task }) => task)));
    const unknown = [...getting].filter(id => !this.#standings.has(id)).map(id => `I19: ${node} sends traffic to ${id}, which is no task`);
    return [...unknown, ...[...this.#standings].flatMap(([id, standing]) => {
      if (standing.gets === getting.has(id) || !isSettled(standing)) return [];
      const what = standing.gets ? 'sends no traffic to' : 'sends traffic to';
      return [`I19: ${node} ${what} task ${id} by endpoints of ${String(set.generation)}; since ${String(standing.revision)} it ${standing.gets ? 'should' : 'should not'}`];
    })];
  }
}

function tasksWithTraffic(snapshot: ClusterSnapshot): ReadonlySet<TaskId> {
  const isMassAway = snapshot.massBreaker !== undefined || silentCount(snapshot) >= Math.max(MASS.nodes, Math.ceil(snapshot.nodes.size * MASS.share));
  const byService = Map.groupBy([...snapshot.tasks.values()].map(({ value }) => value), task => ownerOf(snapshot, task));
  return new Set([...byService].flatMap(([owner, tasks]) => {
    const ready = tasks.filter(task => serves(snapshot, task));
    const asked = owner === undefined ? ready : colour(snapshot, owner, ready);
    const heard = asked.filter(task => snapshot.nodes.get(task.node)?.value.condition === 'ready');
    return owner === undefined ? [] : (heard.length > 0 && !isMassAway ? heard : asked).map(({ id }) => id);
  }));
}

/** The service whose name leads to the task: of a run its cron; undefined when it is gone. */
function ownerOf(snapshot: ClusterSnapshot, { serviceId }: Task): Service | undefined {
  const service = snapshot.services.get(serviceId)?.value;
  const cron = service?.cronRun?.cron;
  return cron === undefined ? service : [...snapshot.services.values()].map(({ value }) => value).find(one => one.namespace === service?.namespace && one.app === service.app && one.name === cron);
}

/** Of a service with an active template the tasks of it, while one of them serves. */
function colour(snapshot: ClusterSnapshot, { id }: Service, tasks: readonly Task[]): readonly Task[] {
  const active = snapshot.serviceStatuses.get(id)?.value.rollout.activeTemplate;
  const asked = tasks.filter(task => task.serviceId === id && task.templateHash === active);
  return asked.length > 0 ? asked : tasks;
}

function serves(snapshot: ClusterSnapshot, task: Task): boolean {
  return !task.isPaused && snapshot.nodes.has(task.node) && snapshot.statuses.get(task.id)?.value.address !== undefined && isServing(snapshot, task);
}

function silentCount({ nodes }: ClusterSnapshot): number {
  return [...nodes.values()].filter(({ value }) => value.condition === 'silent' && !value.isLossConfirmed).length;
}
