/** A ClusterSnapshot on paper: what plans would make of it, without a store. */
import type { App, Service, ServiceStatus } from '#model/app.ts';
import type { ClusterSnapshot, Versioned } from '#model/cluster-snapshot.ts';
import type { AppId, NodeId, ServiceId, TaskId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { nodeOfTask } from '#model/node-of-task.ts';
import { resourcesKey, resourcesOf } from '#model/resources.ts';
import { isFinished } from '#model/task.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { volumeId, volumeName } from '#model/volume.ts';
import type { Volume } from '#model/volume.ts';
import type { RecordKind } from '../store/keys.ts';
import type { ClusterChange } from '../store/snapshot.ts';
import { appOfService } from '../store/keys.ts';
import { isServiceAction, isTaskAction } from './plan.ts';
import type { Action, ServiceAction, TaskAction } from './plan.ts';

type Table<Id, Value> = Map<Id, Versioned<Value>>;

interface PaperSnapshot extends ClusterSnapshot {
  etcdRevision: number;
  readonly apps: Table<AppId, App>;
  readonly services: Table<ServiceId, Service>;
  readonly serviceStatuses: Table<ServiceId, ServiceStatus>;
  readonly tasks: Table<TaskId, Task>;
  readonly statuses: Table<TaskId, TaskStatus>;
  readonly nodes: Table<NodeId, Node>;
  readonly volumes: Table<string, Volume>;
  readonly tasksOfService: Map<ServiceId, ReadonlySet<TaskId>>;
  readonly tasksOnNode: Map<NodeId, ReadonlySet<TaskId>>;
}

/**
 * Starts as a copy of a snapshot and takes what plans decide, as `apply-flow` and the mirror would together.
 *
 * 1. The snapshot it was made from never changes. 2. Each change is told as the mirror tells it. 3. `taskEvents` says what agents would
 * report next: wanted tasks on nodes that are there run (jobs complete), those that are to stop end.
 */
export class PaperCluster {
  readonly #tables: PaperSnapshot;
  readonly #lasting: ReadonlySet<TaskId>;

  /** @param lasting  tasks of jobs that run on: when they end is not known */
  constructor(snapshot: ClusterSnapshot, lasting: ReadonlySet<TaskId> = new Set()) {
    this.#lasting = lasting;
    this.#tables = {
      ...snapshot, apps: new Map(snapshot.apps), services: new Map(snapshot.services), serviceStatuses: new Map(snapshot.serviceStatuses),
      tasks: new Map(snapshot.tasks), statuses: new Map(snapshot.statuses), nodes: new Map(snapshot.nodes), volumes: new Map(snapshot.volumes),
      tasksOfService: new Map(snapshot.tasksOfService), tasksOnNode: new Map(snapshot.tasksOnNode),
    };
  }

  /** Changes with the next write. */
  get snapshot(): ClusterSnapshot {
    return this.#tables;
  }

  putNode(node: Node): ClusterChange {
    this.#put(this.#tables.nodes, node.id, node);
    return this.#change('node', { nodes: [node.id] });
  }

  /** An apply: the App's record and the services that it writes. */
  putApp(app: App, services: readonly Service[]): ClusterChange {
    this.#put(this.#tables.apps, app.id, app);
    for (const service of services) {
      this.#put(this.#tables.services, service.id, service);
    }
    return this.#change('service', { apps: [app.id], services: services.map(service => service.id) });
  }

  report(status: TaskStatus): ClusterChange {
    this.#put(this.#tables.statuses, status.id, status);
    return this.#taskChange('status', this.#tables.tasks.get(status.id)?.value);
  }

  apply(action: Action): ClusterChange {
    const { nodes, serviceStatuses } = this.#tables;
    if (isServiceAction(action)) {
      return this.#applyToService(action);
    }
    if (isTaskAction(action)) {
      return this.#applyToTask(action);
    }
    switch (action.kind) {
      case 'set-service-status':
        this.#put(serviceStatuses, action.status.id, action.status);
        return this.#change('service-status', { services: [action.status.id] });
      case 'set-node-condition':
        this.#edit(nodes, action.node, node => ({ ...node, condition: action.condition }));
        return this.#change('node', { nodes: [action.node] });
      case 'put-volume':
        this.#put(this.#tables.volumes, idOf(action.volume), action.volume);
        return this.#change('volume', { nodes: [action.volume.node] });
      case 'remove-volume':
        this.#tables.volumes.delete(idOf(action.volume));
        return this.#change('volume', { nodes: [action.volume.node] });
      case 'delete-app':
        return this.#deleteApp(action.appId);
      case 'remove-app':
        this.#tables.apps.delete(action.appId);
        return this.#change('app', { apps: [action.appId] });
      case 'set-mass-breaker':
        return this.#change('mass-breaker', {});
    }
  }

  #applyToTask(action: TaskAction): ClusterChange {
    const { tasks, volumes } = this.#tables;
    switch (action.kind) {
      case 'create-task':
        this.#put(tasks, action.task.id, action.task);
        this.#index(action.task);
        action.volumes?.forEach(volume => { this.#put(volumes, idOf(volume), volume); });
        return this.#taskChange('task', action.task);
      case 'resize-task':
        this.#put(tasks, action.task.id, action.task);
        return this.#taskChange('task', action.task);
      case 'stop-task':
        return this.#taskChange('task', this.#edit(tasks, action.taskId, task => ({ ...task, desired: 'stop', reason: action.reason })));
      case 'cancel-move':
        return this.#taskChange('task', this.#edit(tasks, action.taskId, ({ moveTo: _, ...task }) => task));
      case 'remove-task':
        return this.#removeTask(action.taskId);
    }
  }

  #applyToService(action: ServiceAction): ClusterChange {
    const { services, serviceStatuses } = this.#tables;
    switch (action.kind) {
      case 'create-service':
      case 'rollback-service':
        this.#put(services, action.service.id, action.service);
        return this.#change('service', { services: [action.service.id] });
      case 'delete-service':
        this.#edit(services, action.serviceId, service => ({ ...service, isDeleting: true }));
        break;
      case 'remove-service':
        services.delete(action.serviceId);
        serviceStatuses.delete(action.serviceId);
    }
    return this.#change('service', { services: [action.serviceId] });
  }

  /** What agents would report next, by id; empty once nothing moves by itself. */
  taskEvents(nowMs: number): readonly TaskStatus[] {
    const { tasks, statuses, nodes } = this.#tables;
    return [...tasks.values()].map(entry => entry.value)
      .filter(task => nodeOfTask({ nodes, tasks }, task)?.condition === 'ready')
      .flatMap(task => nextStatus(task, statuses.get(task.id)?.value, nowMs) ?? [])
      .filter(({ id, phase }) => phase !== 'complete' || tasks.get(id)?.value.desired === 'stop' || !this.#lasting.has(id))
      .sort((left, right) => (left.id < right.id ? -1 : 1));
  }

  #removeTask(id: TaskId): ClusterChange {
    const { tasks, statuses, tasksOfService, tasksOnNode } = this.#tables;
    const task = tasks.get(id)?.value;
    tasks.delete(id);
    statuses.delete(id);
    if (task !== undefined) {
      dropMember(tasksOfService, task.serviceId, id);
      dropMember(tasksOnNode, task.node, id);
    }
    return this.#taskChange('task', task);
  }

  #deleteApp(id: AppId): ClusterChange {
    this.#edit(this.#tables.apps, id, app => ({ ...app, isDeleting: true }));
    const services = [...this.#tables.services.keys()].filter(service => appOfService(service) === id).sort();
    services.forEach(service => { this.#edit(this.#tables.services, service, one => ({ ...one, isDeleting: true })); });
    return this.#change('app', { apps: [id], services });
  }

  #index(task: Task): void {
    addMember(this.#tables.tasksOfService, task.serviceId, task.id);
    addMember(this.#tables.tasksOnNode, task.node, task.id);
  }

  #put<Id, Value>(table: Table<Id, Value>, id: Id, value: Value): void {
    this.#tables.etcdRevision += 1;
    const revision = this.#tables.etcdRevision;
    table.set(id, { value, createRevision: table.get(id)?.createRevision ?? revision, modRevision: revision });
  }

  #edit<Id, Value>(table: Table<Id, Value>, id: Id, edit: (value: Value) => Value): Value | undefined {
    const known = table.get(id);
    if (known === undefined) {
      return undefined;
    }
    const value = edit(known.value);
    this.#put(table, id, value);
    return value;
  }

  #taskChange(kind: RecordKind, task: Task | undefined): ClusterChange {
    return this.#change(kind, task === undefined ? {} : { services: [task.serviceId], nodes: [task.node], tasks: [task.id] });
  }

  #change(kind: RecordKind, touched: { readonly apps?: readonly AppId[]; readonly services?: readonly ServiceId[]; readonly nodes?: readonly NodeId[]; readonly tasks?: readonly TaskId[] }): ClusterChange {
    return {
      etcdRevision: this.#tables.etcdRevision, kinds: new Set([kind]),
      apps: new Set(touched.apps), services: new Set(touched.services), nodes: new Set(touched.nodes), tasks: new Set(touched.tasks),
    };
  }
}

function idOf(volume: Volume): string {
  return volumeId(volumeName(volume), volume.node);
}

/** As it is now, also later: a mirror changes its tables and indexes where they are. */
export function detached(snapshot: ClusterSnapshot): ClusterSnapshot {
  const copyOf = <Owner>(index: ReadonlyMap<Owner, ReadonlySet<TaskId>>): ReadonlyMap<Owner, ReadonlySet<TaskId>> => new Map([...index].map(([owner, ids]) => [owner, new Set(ids)]));
  return new PaperCluster({
    ...snapshot, tasksOfService: copyOf(snapshot.tasksOfService), tasksOnNode: copyOf(snapshot.tasksOnNode), namespaces: new Map(snapshot.namespaces),
  }).snapshot;
}

/** What the agent of a node that is there would say next of the task; undefined when it said all. */
function nextStatus(task: Task, status: TaskStatus | undefined, nowMs: number): TaskStatus | undefined {
  if (status !== undefined && isFinished(status.phase)) {
    return undefined;
  }
  const known = status ?? { id: task.id, node: task.node, attempt: 1, phase: 'assigned', health: 'none', reason: '', message: '', restarts: 0, isPaused: false };
  if (task.desired === 'stop') {
    return { ...known, phase: 'complete', finishedAtMs: nowMs };
  }
  if (status?.phase !== 'running') {
    const health = task.container.healthcheck === undefined ? 'none' : 'healthy';
    return { ...known, phase: 'running', health, reason: '', message: '', startedAtMs: nowMs };
  }
  if (task.kind === 'job') {
    return { ...known, phase: 'complete', finishedAtMs: nowMs };
  }
  if (status.resources !== undefined && resourcesKey(status.resources) !== resourcesKey(task.container)) {
    return { ...status, resources: resourcesOf(task.container) };
  }
  return status.health === 'starting' ? { ...known, health: 'healthy' } : undefined;
}

/** Sets are shared with the snapshot that the paper began as: changed as copies, in order of ids. */
function addMember<Owner>(index: Map<Owner, ReadonlySet<TaskId>>, owner: Owner, id: TaskId): void {
  index.set(owner, new Set([...index.get(owner) ?? [], id].sort()));
}

function dropMember<Owner>(index: Map<Owner, ReadonlySet<TaskId>>, owner: Owner, id: TaskId): void {
  const left = new Set(index.get(owner));
  left.delete(id);
  if (left.size === 0) {
    index.delete(owner);
  } else {
    index.set(owner, left);
  }
}
