/** What etcd holds, as plain state: applies plans, refuses stale ones, and checks what must hold at every revision. */
import type { App, Revision, Service, ServiceStatus } from '#model/app.ts';
import type { ClusterSnapshot, Versioned } from '#model/cluster-snapshot.ts';
import type { ControllerRecord, Node, SessionRecord } from '#model/node.ts';
import { addResources, fitsInto, NO_RESOURCES } from '#model/resources.ts';
import { isFinished, isForward } from '#model/task.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { volumeId, volumeName } from '#model/volume.ts';
import type { Volume } from '#model/volume.ts';
import type { Action } from '../../controller/reconcile/plan.ts';

type Table<T> = Map<string, Versioned<T>>;

export class SimStore {
  etcdRevision = 1;
  epoch = 1;
  readonly apps: Table<App> = new Map();
  readonly services: Table<Service> = new Map();
  readonly serviceStatuses: Table<ServiceStatus> = new Map();
  readonly tasks: Table<Task> = new Map();
  readonly statuses: Table<TaskStatus> = new Map();
  readonly nodes: Table<Node> = new Map();
  readonly volumes: Table<Volume> = new Map();
  readonly sessions: Table<SessionRecord> = new Map();
  readonly controllers: Table<ControllerRecord> = new Map();
  massBreaker: ClusterSnapshot['massBreaker'];
  readonly revisions = new Map<string, Revision>();
  /** Every task id that ever was: none may come twice (I1). */
  readonly #taskIds = new Set<string>();
  readonly #isShuffled: boolean;

  /** @param isShuffled  hand out every map in reverse order: decisions must not notice */
  constructor(isShuffled: boolean) {
    this.#isShuffled = isShuffled;
  }

  put<T>(table: Table<T>, key: string, value: T): void {
    this.etcdRevision += 1;
    table.set(key, { value, createRevision: table.get(key)?.createRevision ?? this.etcdRevision, modRevision: this.etcdRevision });
  }

  remove<T>(table: Table<T>, key: string): void {
    this.etcdRevision += 1;
    table.delete(key);
  }

  /** An agent's report; one that goes back is refused (I14), as is one of a task that is gone. */
  report(status: TaskStatus): void {
    const known = this.statuses.get(status.id)?.value;
    if (this.tasks.has(status.id) && (known === undefined || (isForward(known, status) && JSON.stringify(known) !== JSON.stringify(status)))) {
      this.put(this.statuses, status.id, status);
    }
  }

  apply(action: Action): void {
    switch (action.kind) {
      case 'create-task':
      case 'stop-task':
      case 'resize-task':
      case 'remove-task':
        this.#applyToTask(action);
        return;
      case 'set-service-status':
        this.put(this.serviceStatuses, action.status.id, action.status);
        return;
      case 'rollback-service':
        this.put(this.services, action.service.id, action.service);
        return;
      case 'set-node-condition':
        this.#change(this.nodes, action.node, node => ({ ...node, condition: action.condition }));
        return;
      case 'set-mass-breaker':
        this.massBreaker = action.isOpen ? this.#breakerRecord(action.reason) : undefined;
        return;
      default:
        throw new Error(`the simulation deletes nothing, but the plan says ${action.kind}`);
    }
  }

  #breakerRecord(message: string): NonNullable<ClusterSnapshot['massBreaker']> {
    this.etcdRevision += 1;
    const value = { type: 'warning', object: 'cluster', reason: 'MassBreakerOpened', message, firstAtMs: 0, lastAtMs: 0, count: 1 } as const;
    return { value, createRevision: this.etcdRevision, modRevision: this.etcdRevision };
  }

  #applyToTask(action: Extract<Action, { readonly kind: 'create-task' | 'stop-task' | 'resize-task' | 'remove-task' }>): void {
    switch (action.kind) {
      case 'create-task':
        if (this.#taskIds.has(action.task.id)) {
          throw new Error(`I1: task id ${action.task.id} comes twice`);
        }
        this.#taskIds.add(action.task.id);
        this.put(this.tasks, action.task.id, action.task);
        action.volumes?.forEach(volume => { this.put(this.volumes, volumeId(volumeName(volume), volume.node), volume); });
        this.#checkFit(action.task.node);
        return;
      case 'resize-task':
        this.put(this.tasks, action.task.id, action.task);
        this.#checkFit(action.task.node);
        return;
      case 'stop-task':
        this.#change(this.tasks, action.taskId, (task): Task => ({ ...task, desired: 'stop', reason: action.reason }));
        return;
      case 'remove-task':
        this.remove(this.tasks, action.taskId);
        this.remove(this.statuses, action.taskId);
    }
  }

  #change<T>(table: Table<T>, key: string, change: (value: T) => T): void {
    const known = table.get(key);
    if (known !== undefined) {
      this.put(table, key, change(known.value));
    }
  }

  /** I12: what is promised of the node fits it. */
  #checkFit(nodeId: string): void {
    const node = this.nodes.get(nodeId)?.value;
    const unfinished = [...this.tasks.values()].map(entry => entry.value)
      .filter(task => task.node === nodeId && !isFinished(this.statuses.get(task.id)?.value.phase ?? 'pending'));
    const requests = unfinished.reduce((sum, task) => addResources(sum, task.container.requests), NO_RESOURCES);
    if (node === undefined || !fitsInto(requests, node.capacity)) {
      throw new Error(`I12: node ${nodeId} is promised ${JSON.stringify(requests)}`);
    }
  }

  snapshot(): ClusterSnapshot {
    const tasks = this.#ordered(this.tasks);
    const index = (keyOf: (task: Task) => string): Map<string, Set<string>> => {
      const sets = new Map<string, Set<string>>();
      for (const { value } of tasks.values()) {
        sets.set(keyOf(value), (sets.get(keyOf(value)) ?? new Set()).add(value.id));
      }
      return sets;
    };
    const view = {
      etcdRevision: this.etcdRevision, epoch: this.epoch,
      apps: this.#ordered(this.apps), services: this.#ordered(this.services), serviceStatuses: this.#ordered(this.serviceStatuses),
      tasks, statuses: this.#ordered(this.statuses), nodes: this.#ordered(this.nodes), ledgers: new Map(),
      sessions: this.#ordered(this.sessions), controllers: this.#ordered(this.controllers), secrets: new Map(), volumes: this.#ordered(this.volumes), unreadableVolumes: new Set(), volumesLeaving: new Map(), unreadableTasks: new Map(), unreadableApps: new Set(), unreadableNodes: new Map(),
      namespaces: new Map(), unreadableNamespaces: new Set(),
      ...(this.massBreaker === undefined ? {} : { massBreaker: this.massBreaker }),
      tasksOfService: index(task => task.serviceId), tasksOnNode: index(task => task.node),
    };
    return view as unknown as ClusterSnapshot;
  }

  #ordered<T>(table: Table<T>): Table<T> {
    return new Map(this.#isShuffled ? [...table].reverse() : table);
  }
}
