/** What a person is shown of one ClusterSnapshot. */
import type { App, Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { AppId, NodeId, ServiceId, TaskId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { nodeOfTask } from '#model/node-of-task.ts';
import type { ClusterView, ListFilter, NodeView, PendingSlot, ServiceView, TaskView } from '#model/ports.ts';
import { isFinished, isServing } from '#model/task.ts';
import type { Task, TaskState, TaskStatus } from '#model/task.ts';
import { replicasInForce } from '../autoscale/replicas-in-force.ts';
import { ledgerAfter } from '../reconcile/transactions.ts';

/** All lists sorted by id. `lastSeen` is what this replica heard of the nodes whose sessions it holds. */
export function clusterView(snapshot: ClusterSnapshot, filter: ListFilter, lastSeen: ReadonlyMap<NodeId, number>): ClusterView {
  const services = sorted(snapshot.services.keys()).flatMap(id => serviceInView(snapshot, id, filter) ?? []);
  return {
    etcdRevision: snapshot.etcdRevision,
    apps: sorted(snapshot.apps.keys()).flatMap(id => appInView(snapshot, id, filter) ?? []),
    services,
    tasks: sorted(taskIds(snapshot, filter)).flatMap(id => taskInView(snapshot, id, filter) ?? []),
    pending: services.flatMap(({ service }) => pendingOf(snapshot, service.id, filter)),
    ...(snapshot.massBreaker === undefined ? {} : { massBreaker: { reason: snapshot.massBreaker.value.message } }),
    nodes: sorted(snapshot.nodes.keys()).flatMap(id => nodeInView(snapshot, id, { filter, lastSeen }) ?? []),
  };
}

/** At least all that the view has; of something by name not all of the cluster's. */
function taskIds(snapshot: ClusterSnapshot, filter: ListFilter): Iterable<TaskId> {
  if (filter.withoutTasks === true) {
    return [];
  }
  return filter.node === undefined ? snapshot.tasks.keys() : snapshot.tasksOnNode.get(filter.node) ?? [];
}

/** As the view has it; undefined where it is not in there. */
export function appInView(snapshot: ClusterSnapshot, id: AppId, filter: ListFilter): App | undefined {
  const app = snapshot.apps.get(id)?.value;
  return app !== undefined && matches(withoutService(filter), app.namespace, app.name, '') ? app : undefined;
}

export function serviceInView(snapshot: ClusterSnapshot, id: ServiceId, filter: ListFilter): ServiceView | undefined {
  const service = snapshot.services.get(id)?.value;
  const isIn = service !== undefined && matches(filter, service.namespace, service.app, service.name);
  return isIn ? serviceView(snapshot, service) : undefined;
}

export function taskInView(snapshot: ClusterSnapshot, id: TaskId, filter: ListFilter): TaskView | undefined {
  const task = snapshot.tasks.get(id)?.value;
  if (task === undefined || !matches(filter, task.namespace, task.app, task.service) || (filter.node !== undefined && task.node !== filter.node)) {
    return undefined;
  }
  const status = snapshot.statuses.get(id)?.value;
  return { task, ...(status === undefined ? {} : { status }), state: stateOf(task, status, nodeOfTask(snapshot, task)) };
}

export function nodeInView(
  snapshot: ClusterSnapshot, id: NodeId, { filter, lastSeen }: { readonly filter: ListFilter; readonly lastSeen: ReadonlyMap<NodeId, number> },
): NodeView | undefined {
  const node = snapshot.nodes.get(id)?.value;
  return node === undefined || (filter.node !== undefined && id !== filter.node) ? undefined : nodeView(snapshot, node, lastSeen);
}

/** Slots of a service of the view that fit nowhere. */
export function pendingOf(snapshot: ClusterSnapshot, id: ServiceId, filter: ListFilter): readonly PendingSlot[] {
  const pending = filter.node === undefined ? snapshot.serviceStatuses.get(id)?.value.pending : undefined;
  return (pending ?? []).map(({ slot, reason }) => ({ service: id, slot, reason }));
}

/** The phase; `lost` while the node is, `stopping` from when the stop was decided, `paused` while its processes are frozen. */
export function stateOf(task: Task, status: TaskStatus | undefined, node: Node | undefined): TaskState {
  const phase = status?.phase ?? 'assigned';
  if (isFinished(phase)) {
    return phase;
  }
  if (node === undefined || node.condition === 'lost') {
    return 'lost';
  }
  if (task.desired === 'stop') {
    return 'stopping';
  }
  return phase === 'running' && status?.isPaused === true ? 'paused' : phase;
}

function serviceView(snapshot: ClusterSnapshot, service: Service): ServiceView {
  const { id } = service;
  const statuses = [...(snapshot.tasksOfService.get(id) ?? [])].flatMap(taskId => {
    const task = snapshot.tasks.get(taskId)?.value;
    const status = snapshot.statuses.get(taskId)?.value;
    const isLost = task !== undefined && nodeOfTask(snapshot, task)?.condition === 'lost';
    return task?.desired !== 'run' || status === undefined || isLost ? [] : [status];
  });
  const status = snapshot.serviceStatuses.get(id)?.value;
  return {
    service,
    ...(status === undefined ? {} : { status }),
    running: statuses.filter(one => one.phase === 'running').length,
    healthy: statuses.filter(isServing).length,
    wanted: service.spec.kind === 'global' ? eligibleNodes(snapshot) : service.spec.kind === 'cron' ? 0 : replicasInForce(service.spec, status),
  };
}

function eligibleNodes({ nodes }: ClusterSnapshot): number {
  return [...nodes.values()].filter(({ value }) => value.condition === 'ready' && value.availability === 'active' && value.networkFault === '').length;
}

function nodeView(snapshot: ClusterSnapshot, node: Node, lastSeen: ReadonlyMap<NodeId, number>): NodeView {
  const lastSeenMs = lastSeen.get(node.id);
  const controllerId = snapshot.sessions.get(node.id)?.value.controllerId;
  return {
    node,
    // As it stands now: the record in the store is as of the last placement.
    ledger: ledgerAfter(snapshot, node.id, []),
    ...(lastSeenMs === undefined ? {} : { lastSeenMs }),
    ...(controllerId === undefined ? {} : { controllerId }),
  };
}

function matches(filter: ListFilter, namespace: string, app: string, service: string): boolean {
  return (filter.namespace === undefined || filter.namespace === namespace)
    && (filter.app === undefined || filter.app === app)
    && (filter.service === undefined || filter.service === service);
}

function withoutService(filter: ListFilter): ListFilter {
  return { ...(filter.namespace === undefined ? {} : { namespace: filter.namespace }), ...(filter.app === undefined ? {} : { app: filter.app }) };
}

function sorted<Id extends string>(ids: Iterable<Id>): readonly Id[] {
  return [...ids].sort();
}
