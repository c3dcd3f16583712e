/** A plan as fenced transactions: what to write, and the revisions of all that it was decided from. */
import { requestsOf } from '#model/companion.ts';
import type { ClusterSnapshot, Versioned } from '#model/cluster-snapshot.ts';
import type { Service } from '#model/app.ts';
import { appId, serviceId } from '#model/ids.ts';
import type { AppId, NodeId, ServiceId } from '#model/ids.ts';
import type { Ledger } from '#model/node.ts';
import { addResources, NO_RESOURCES } from '#model/resources.ts';
import type { Task } from '#model/task.ts';
import { volumeId } from '#model/volume.ts';
import { hostPortsOf, isEnded } from '../schedule/node-load.ts';
import { compareEpoch } from '../store/epoch.ts';
import { appOfService, buildKey, volumeKey } from '../store/keys.ts';
import type { RecordKey } from '../store/keys.ts';
import type { Compare, Operation } from '../store/ports.ts';
import { encodeApp, encodeClusterEvent, encodeLedger, encodeNode, encodeService, encodeServiceStatus, encodeTask, encodeVolume } from '../store/records.ts';
import { MAX_TRANSACTION_BYTES, MAX_TRANSACTION_OPERATIONS, operationBytes } from '../store/transaction-limits.ts';
import { isServiceAction, isTaskAction } from './plan.ts';
import type { Action, ServiceAction, TaskAction } from './plan.ts';

export interface Transaction {
  readonly compares: readonly Compare[];
  readonly operations: readonly Operation[];
}

export interface TransactionInput {
  readonly snapshot: ClusterSnapshot;
  readonly epoch: number;
  readonly nowMs: number;
}

/** What one action needs; it is never divided. */
interface Unit {
  /** Keys that must be as the snapshot has them. */
  readonly reads: readonly RecordKey[];
  readonly operations: readonly Operation[];
  /** A task as it will be on its node: its ledger is rewritten with it. */
  readonly places?: Task;
}

/** Room that one ledger may take in a transaction. */
const LEDGER_BYTES = 4_096;

/**
 * The transactions, in the order of the actions, each within the store's limits. Creates and resizes come with their nodes' ledgers: all that the
 * unfinished tasks of a node ask for once the transaction is in. A later transaction may compare what an earlier one writes: `apply-flow`
 * puts the new revision in.
 */
export function planTransactions(actions: readonly Action[], input: TransactionInput): readonly Transaction[] {
  const placed = new Map<NodeId, Task[]>();
  const transactions: Transaction[] = [];
  let open = new OpenTransaction();
  for (const action of actions) {
    const unit = unitOf(action, input);
    if (!open.hasRoomFor(unit)) {
      transactions.push(closeTransaction(open, placed, input));
      open = new OpenTransaction();
    }
    open.add(unit);
  }
  return open.isEmpty ? transactions : [...transactions, closeTransaction(open, placed, input)];
}

/** Units that share a transaction, with what they take of its limits. */
class OpenTransaction {
  /** By their texts; each once, whoever reads it. */
  readonly reads = new Map<string, RecordKey>();
  readonly operations: Operation[] = [];
  readonly places: Task[] = [];
  readonly nodes = new Set<NodeId>();
  #bytes = 0;

  get isEmpty(): boolean {
    return this.operations.length === 0;
  }

  /** The first always has: it is never divided. */
  hasRoomFor({ operations, places, reads }: Unit): boolean {
    const ledgers = this.nodes.size + (places === undefined || this.nodes.has(places.node) ? 0 : 1);
    const unread = new Set(reads.map(buildKey).filter(key => !this.reads.has(key)));
    return this.isEmpty || (this.operations.length + operations.length + ledgers <= MAX_TRANSACTION_OPERATIONS
      && this.reads.size + unread.size + ledgers + 1 <= MAX_TRANSACTION_OPERATIONS
      && this.#bytes + bytesOf(operations) + ledgers * LEDGER_BYTES <= MAX_TRANSACTION_BYTES);
  }

  add({ operations, places, reads }: Unit): void {
    reads.forEach(key => this.reads.set(buildKey(key), key));
    this.operations.push(...operations);
    this.#bytes += bytesOf(operations);
    if (places !== undefined) {
      this.places.push(places);
      this.nodes.add(places.node);
    }
  }
}

function bytesOf(operations: readonly Operation[]): number {
  return operations.reduce((sum, operation) => sum + operationBytes(operation), 0);
}

/** @param placed  by the transactions before; those of this one are added */
function closeTransaction(open: OpenTransaction, placed: Map<NodeId, Task[]>, { snapshot, epoch }: TransactionInput): Transaction {
  for (const task of open.places) {
    const known = placed.get(task.node) ?? [];
    known.push(task);
    placed.set(task.node, known);
  }
  const ledgers = [...open.nodes].map(node => ledgerAfter(snapshot, node, placed.get(node) ?? []));
  ledgers.map(({ node }) => ({ kind: 'ledger', id: node }) as const).forEach(key => open.reads.set(buildKey(key), key));
  return {
    compares: [compareEpoch(epoch), ...[...open.reads].map(([key, read]): Compare => ({ kind: 'mod-revision', key, revision: versionOf(snapshot, read)?.modRevision ?? 0 }))],
    operations: [...open.operations, ...ledgers.map(ledger => put({ kind: 'ledger', id: ledger.node }, encodeLedger(ledger)))],
  };
}

/** What is promised of the node once `placed` are there, new or changed: unfinished tasks, also those that are to stop. */
export function ledgerAfter(snapshot: ClusterSnapshot, node: NodeId, placed: readonly Task[]): Ledger {
  const changed = new Set(placed.map(({ id }) => id));
  const present = [...(snapshot.tasksOnNode.get(node) ?? [])].flatMap(id => {
    const task = snapshot.tasks.get(id)?.value;
    const isOther = task !== undefined && !isEnded(snapshot, task) && !changed.has(id);
    return isOther ? [task] : [];
  });
  const tasks = [...present, ...placed];
  return {
    node,
    requests: tasks.reduce((sum, task) => addResources(sum, requestsOf(task)), NO_RESOURCES),
    hostPorts: [...new Set(tasks.flatMap(task => hostPortsOf(task.container)))].sort(),
  };
}

function unitOf(action: Action, input: TransactionInput): Unit {
  const { snapshot } = input;
  if (isServiceAction(action)) {
    return serviceUnit(action, snapshot);
  }
  if (isTaskAction(action)) {
    return taskUnit(action, snapshot);
  }
  switch (action.kind) {
    case 'set-service-status': return {
      reads: [{ kind: 'service', id: action.status.id }, { kind: 'service-status', id: action.status.id }],
      operations: [put({ kind: 'service-status', id: action.status.id }, encodeServiceStatus(action.status))],
    };
    case 'put-volume': return { reads: [volumeKey(action.volume)], operations: [put(volumeKey(action.volume), encodeVolume(action.volume))] };
    case 'remove-volume': return { reads: [volumeKey(action.volume)], operations: [remove(volumeKey(action.volume))] };
    case 'delete-app': return deleteAppUnit(action.appId, input);
    case 'set-mass-breaker': return breakerUnit(action, input);
    case 'remove-app': return { reads: [{ kind: 'app', id: action.appId }], operations: [remove({ kind: 'app', id: action.appId })] };
    case 'set-node-condition': {
      const node = required(snapshot.nodes.get(action.node), action).value;
      const changed = { ...node, condition: action.condition, conditionSinceMs: input.nowMs };
      return { reads: [{ kind: 'node', id: node.id }], operations: [put({ kind: 'node', id: node.id }, encodeNode(changed))] };
    }
  }
}

function taskUnit(action: TaskAction, snapshot: ClusterSnapshot): Unit {
  switch (action.kind) {
    case 'create-task': return createUnit(action, snapshot);
    case 'stop-task': return stopUnit(action, snapshot);
    case 'cancel-move': {
      const { moveTo: _, ...task } = required(snapshot.tasks.get(action.taskId), action).value;
      return { reads: [{ kind: 'task', id: task.id }], operations: [put({ kind: 'task', id: task.id }, encodeTask(task))] };
    }
    case 'resize-task': return {
      reads: taskReads(snapshot, action.task), operations: [put({ kind: 'task', id: action.task.id }, encodeTask(action.task))], places: action.task,
    };
    case 'remove-task': {
      const task = required(snapshot.tasks.get(action.taskId), action).value;
      return { reads: [{ kind: 'task', id: task.id }], operations: [remove({ kind: 'task', id: task.id }), remove({ kind: 'status', id: task.id })] };
    }
  }
}

function breakerUnit({ isOpen, reason }: Extract<Action, { readonly kind: 'set-mass-breaker' }>, { nowMs }: TransactionInput): Unit {
  const key = { kind: 'mass-breaker' } as const;
  const record = { type: 'warning', object: 'cluster', reason: 'MassBreakerOpened', message: reason, firstAtMs: nowMs, lastAtMs: nowMs, count: 1 } as const;
  return { reads: [key], operations: [isOpen ? put(key, encodeClusterEvent(record)) : remove(key)] };
}

function stopUnit(action: Extract<Action, { readonly kind: 'stop-task' }>, snapshot: ClusterSnapshot): Unit {
  const task = required(snapshot.tasks.get(action.taskId), action).value;
  const stopped: Task = { ...task, desired: 'stop', reason: action.reason };
  return {
    reads: [...taskReads(snapshot, task), ...(IN_ANY_CASE.has(action.reason) ? [] : slotReads(snapshot, task))],
    operations: [put({ kind: 'task', id: task.id }, encodeTask(stopped))],
  };
}

/** Its namespace's record too: what its quota leaves was counted from it. One that cannot be read limits nothing. A volume that was given up meanwhile is no place for it. */
function createUnit({ task, volumes = [] }: Extract<Action, { readonly kind: 'create-task' }>, snapshot: ClusterSnapshot): Unit {
  const { namespace: name } = task;
  return {
    reads: [
      { kind: 'service', id: task.serviceId }, { kind: 'node', id: task.node }, { kind: 'task', id: task.id },
      ...(snapshot.unreadableNamespaces.has(name) ? [] : [{ kind: 'namespace', name } as const]),
      ...(task.kind === 'job' ? unendedReads(snapshot, task) : []),
      ...volumes.map(volumeKey),
    ],
    operations: [put({ kind: 'task', id: task.id }, encodeTask(task)), ...volumes.map(volume => put(volumeKey(volume), encodeVolume(volume)))],
    places: task,
  };
}

function serviceUnit(action: ServiceAction, snapshot: ClusterSnapshot): Unit {
  switch (action.kind) {
    case 'rollback-service': return {
      reads: [{ kind: 'service', id: action.service.id }],
      operations: [put({ kind: 'service', id: action.service.id }, encodeService(action.service))],
    };
    case 'create-service': return createServiceUnit(action.service);
    case 'delete-service': {
      const service = required(snapshot.services.get(action.serviceId), action).value;
      return { reads: [{ kind: 'service', id: service.id }], operations: [put({ kind: 'service', id: service.id }, encodeService({ ...service, isDeleting: true }))] };
    }
    case 'remove-service': return {
      reads: [{ kind: 'service', id: action.serviceId }],
      operations: [remove({ kind: 'service', id: action.serviceId }), remove({ kind: 'service-status', id: action.serviceId })],
    };
  }
}

/** Not there yet, while its App and its cron are as they were. */
function createServiceUnit(service: Service): Unit {
  const { namespace, app, cronRun } = service;
  return {
    reads: [
      { kind: 'service', id: service.id }, { kind: 'app', id: appId(namespace, app) },
      ...(cronRun === undefined ? [] : [{ kind: 'service', id: serviceId(namespace, app, cronRun.cron) } as const]),
    ],
    operations: [put({ kind: 'service', id: service.id }, encodeService(service))],
  };
}

/** Runs of crons go with their App: there may be more of them than a transaction takes. */
function deleteAppUnit(id: AppId, { snapshot }: TransactionInput): Unit {
  const app = snapshot.apps.get(id);
  const services = servicesOf(snapshot, id).filter(service => snapshot.services.get(service)?.value.cronRun === undefined);
  return {
    reads: [{ kind: 'app', id }, ...services.map(service => ({ kind: 'service', id: service }) as const)],
    operations: [
      ...(app === undefined ? [] : [put({ kind: 'app', id }, encodeApp({ ...app.value, isDeleting: true }))]),
      ...services.flatMap(service => {
        const record = snapshot.services.get(service);
        return record === undefined ? [] : [put({ kind: 'service', id: service }, encodeService({ ...record.value, isDeleting: true }))];
      }),
    ],
  };
}

function servicesOf(snapshot: ClusterSnapshot, app: AppId): readonly ServiceId[] {
  return [...snapshot.services.keys()].filter(id => appOfService(id) === app).sort();
}

/** The task, and where they are still there, its service and node. */
function taskReads(snapshot: ClusterSnapshot, task: Task): readonly RecordKey[] {
  return [
    { kind: 'task', id: task.id },
    ...(snapshot.services.has(task.serviceId) ? [{ kind: 'service', id: task.serviceId } as const] : []),
    ...(snapshot.nodes.has(task.node) ? [{ kind: 'node', id: task.node } as const] : []),
  ];
}

/** Why tasks stop that do so whether they serve or not. */
const IN_ANY_CASE: ReadonlySet<string> = new Set(['service-deleted', 'scale-down', 'node-lost']);

/** What its slot's tasks report: whether it served, and whether another does, is what a stop was decided from (I7). */
function slotReads({ tasks, tasksOfService }: ClusterSnapshot, { serviceId: service, slot }: Task): readonly RecordKey[] {
  const ofSlot = [...(tasksOfService.get(service) ?? [])].filter(id => {
    const task = tasks.get(id)?.value;
    return task?.slot === slot && task.desired === 'run';
  });
  return ofSlot.map(id => ({ kind: 'status', id }));
}

/** What the tasks of a job's slot may tell yet: those that were given up with their nodes, one a node. One that ended well makes another needless (I1). */
function unendedReads(snapshot: ClusterSnapshot, { serviceId: service, slot }: Task): readonly RecordKey[] {
  const ofSlot = [...(snapshot.tasksOfService.get(service) ?? [])].filter(id => {
    const task = snapshot.tasks.get(id)?.value;
    return task?.slot === slot && !isEnded(snapshot, task);
  });
  return ofSlot.map(id => ({ kind: 'status', id }));
}

function versionOf(snapshot: ClusterSnapshot, key: RecordKey): Versioned<unknown> | undefined {
  switch (key.kind) {
    case 'service': return snapshot.services.get(key.id);
    case 'service-status': return snapshot.serviceStatuses.get(key.id);
    case 'task': return snapshot.tasks.get(key.id);
    case 'status': return snapshot.statuses.get(key.id);
    case 'node': return snapshot.nodes.get(key.id);
    case 'ledger': return snapshot.ledgers.get(key.id);
    case 'app': return snapshot.apps.get(key.id);
    case 'namespace': return snapshot.namespaces.get(key.name);
    case 'volume': return snapshot.volumes.get(volumeId(`${key.namespace}/${key.name}`, key.node));
    case 'mass-breaker': return snapshot.massBreaker;
    default: throw new Error(`no plan reads ${key.kind} records`);
  }
}

function required<T>(value: T | undefined, action: Action): T {
  if (value === undefined) {
    throw new Error(`the plan's ${action.kind} is about a record that its snapshot has not`);
  }
  return value;
}

function put(key: RecordKey, value: Uint8Array): Operation {
  return { kind: 'put', key: buildKey(key), value };
}

function remove(key: RecordKey): Operation {
  return { kind: 'delete', key: buildKey(key) };
}
