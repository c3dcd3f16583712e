/** What a person is shown of one ClusterSnapshot. */
import type { ServiceId } from '#model/ids.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { nodeOfTask } from '#model/node-of-task.ts';
import type { ClusterView, ListFilter, NodeView, PendingSlot, ServiceView, TaskView } from '#model/ports.ts';
import { isFinished, isServing } from '#model/task.ts';
import type { Task, TaskState, TaskStatus } from '#model/task.ts';
import { replicasInForce } from '../autoscale/replicas-in-force.ts';
import { ledgerAfter } from '../reconcile/transactions.ts';

/** All lists sorted by id. `lastSeen` is what this replica heard of the nodes whose sessions it holds. */
export function clusterView(snapshot: ClusterSnapshot, filter: ListFilter, lastSeen: ReadonlyMap<NodeId, number>): ClusterView {
  const services = values(snapshot.services).filter(service => matches(filter, service.namespace, service.app, service.name));
  const wanted = new Set(services.map(service => service.id));
  const tasks = filter.withoutTasks === true ? [] : values(snapshot.tasks)
    .filter(task => matches(filter, task.namespace, task.app, task.service) && (filter.node === undefined || task.node === filter.node))
    .map((task): TaskView => {
      const status = snapshot.statuses.get(task.id)?.value;
      return { task, ...(status === undefined ? {} : { status }), state: stateOf(task, status, nodeOfTask(snapshot, task)) };
    });
  return {
    etcdRevision: snapshot.etcdRevision,
    apps: values(snapshot.apps).filter(app => matches({ ...withoutService(filter) }, app.namespace, app.name, '')),
    services: services.map(service => serviceView(snapshot, service.id)).filter(view => view !== undefined),
    tasks,
    pending: values(snapshot.serviceStatuses).filter(status => wanted.has(status.id) && filter.node === undefined)
      .flatMap(status => status.pending.map((slot): PendingSlot => ({ service: status.id, slot: slot.slot, reason: slot.reason }))),
    ...(snapshot.massBreaker === undefined ? {} : { massBreaker: { reason: snapshot.massBreaker.value.message } }),
    nodes: values(snapshot.nodes).filter(node => filter.node === undefined || node.id === filter.node).map(node => nodeView(snapshot, node, lastSeen)),
  };
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

function serviceView(snapshot: ClusterSnapshot, id: ServiceId): ServiceView | undefined {
  const service = snapshot.services.get(id)?.value;
  if (service === undefined) {
    return undefined;
  }
  const statuses = [...(snapshot.tasksOfService.get(id) ?? [])].flatMap(taskId => {
    const task = snapshot.tasks.get(taskId)?.value;
    const status = snapshot.statuses.get(taskId)?.value;
    const isLost = task !== undefined && nodeOfTask(snapshot, task)?.condition === 'lost';
    return task?.desired !== 'run' || status === undefined || isLost ? [] : [status];
  });
  const status = snapshot.serviceStatuses.get(id)?.value;
  const eligible = [...snapshot.nodes.values()].filter(node => node.value.condition === 'ready' && node.value.availability === 'active' && node.value.networkFault === '').length;
  return {
    service,
    ...(status === undefined ? {} : { status }),
    running: statuses.filter(one => one.phase === 'running').length,
    healthy: statuses.filter(isServing).length,
    wanted: service.spec.kind === 'global' ? eligible : service.spec.kind === 'cron' ? 0 : replicasInForce(service.spec, status),
  };
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

function values<Key extends string, Value>(records: ReadonlyMap<Key, { readonly value: Value }>): readonly Value[] {
  return [...records.entries()].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, record]) => record.value);
}
