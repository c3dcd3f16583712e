/** I7 and I12: what a write may take from a service or a namespace, and add to it or to a node. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId, ServiceId, TaskId } from '#model/ids.ts';
import type { Service } from '#model/app.ts';
import { isFinished } from '#model/task.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import type { RecordKey } from '../../controller/store/keys.ts';

/** What was there before a write, of all that it touches. */
export interface Before {
  readonly tasks: ReadonlyMap<TaskId, { readonly task: Task | undefined; readonly status: TaskStatus | undefined }>;
  readonly conditions: ReadonlyMap<NodeId, string | undefined>;
  readonly serving: ReadonlyMap<ServiceId, ReadonlySet<number>>;
}

/** What a write of the leader takes away itself stays within max_unavailable, what it adds within max_surge; room is made only for those of higher priority. */
export function replacedProblems(snapshot: ClusterSnapshot, before: Before): readonly string[] {
  return [...before.serving].flatMap(([id, serving]) => {
    const service = snapshot.services.get(id)?.value;
    return service?.spec.kind !== 'service' || service.isDeleting ? [] : [
      ...servingProblems(snapshot, service, serving, before), ...copiesProblems(snapshot, service, before), ...preemptionProblems(snapshot, service, before),
    ];
  });
}

function servingProblems(snapshot: ClusterSnapshot, service: Service, serving: ReadonlySet<number>, before: Before): readonly string[] {
  const { id, spec: { update } } = service;
  const replicas = replicasOf(snapshot, service);
  const preempted = new Set(preemptedOf(snapshot, id, before).map(task => task.slot));
  const wanted = [...serving].filter(slot => slot < replicas && !preempted.has(slot));
  const after = [...servingSlots(snapshot, id)].filter(slot => slot < replicas);
  const unavailable = (update.maxSurge === 0 ? Math.max(1, update.maxUnavailable) : update.maxUnavailable) + preempted.size;
  return after.length < wanted.length && after.length < replicas - unavailable
    ? [`I7: ${id} serves ${String(after.length)} of ${String(replicas)} after a write of the leader, ${String(wanted.length)} before`] : [];
}

/** A copy on a node that was given up stops when the node is back: until then there may be one more (reliability 3). Each colour of a blue_green has its replicas and its surge. */
function copiesProblems(snapshot: ClusterSnapshot, service: Service, { tasks }: Before): readonly string[] {
  const { id, spec: { update } } = service;
  const replicas = replicasOf(snapshot, service);
  const isMore = [...tasks].some(([task, { task: known }]) => known === undefined && snapshot.tasks.get(task)?.value.serviceId === id);
  const copies = tasksOf(snapshot, id).filter(task => isUnfinished(snapshot, task)
    && (task.desired === 'run' || task.reason !== 'node-lost') && snapshot.nodes.get(task.node)?.value.condition !== 'lost').length;
  const surge = update.strategy === 'blue_green' ? replicas + 2 * update.maxSurge : update.maxSurge;
  return isMore && copies > replicas + surge ? [`I7: ${id} has ${String(copies)} copies for ${String(replicas)} + ${String(surge)}`] : [];
}

function preemptionProblems(snapshot: ClusterSnapshot, { id, spec }: Service, before: Before): readonly string[] {
  const isAskedFor = [...snapshot.serviceStatuses.values()].some(({ value }) => value.pending.length > 0
    && (snapshot.services.get(value.id)?.value.spec.placement.priority ?? 0) > spec.placement.priority);
  return preemptedOf(snapshot, id, before).length > 0 && !isAskedFor ? [`I7: a task of ${id} makes room, and nothing of higher priority waits`] : [];
}

function preemptedOf(snapshot: ClusterSnapshot, id: ServiceId, { tasks }: Before): readonly Task[] {
  return [...tasks].flatMap(([task, { task: known }]) => {
    const now = snapshot.tasks.get(task)?.value;
    return now?.serviceId === id && known?.desired === 'run' && now.desired === 'stop' && now.reason.startsWith('preempted') ? [now] : [];
  });
}

/** I12, from the tasks themselves: a finished one holds nothing, nor does one whose node is gone. */
export function fitProblems(snapshot: ClusterSnapshot, keys: readonly (RecordKey | undefined)[]): readonly string[] {
  const nodes = new Set(keys.flatMap(key => (key?.kind === 'task' ? [snapshot.tasks.get(key.id)?.value.node] : [])).filter(node => node !== undefined));
  return [...nodes].flatMap(id => {
    const capacity = snapshot.nodes.get(id)?.value.capacity;
    const tasks = [...snapshot.tasksOnNode.get(id) ?? []].flatMap(task => snapshot.tasks.get(task)?.value ?? [])
      .filter(task => isUnfinished(snapshot, task));
    const milliCpu = tasks.reduce((sum, task) => sum + task.container.requests.milliCpu, 0);
    const memoryBytes = tasks.reduce((sum, task) => sum + task.container.requests.memoryBytes, 0);
    const ports = tasks.flatMap(task => task.container.ports.filter(port => port.mode === 'host').map(port => `${port.protocol}/${String(port.published)}`));
    return [
      ...(capacity !== undefined && (milliCpu > capacity.milliCpu || memoryBytes > capacity.memoryBytes) ? [`I12: node ${id} promised ${String(milliCpu)}m and ${String(memoryBytes)} bytes`] : []),
      ...(new Set(ports).size < ports.length ? [`I12: node ${id} has a host port with two owners`] : []),
    ];
  });
}

/** I12: no task is made beyond what its namespace's quota allows at that revision; what was there when the quota came down may stay. */
export function quotaProblems(snapshot: ClusterSnapshot, { tasks }: Before): readonly string[] {
  const namespaces = new Set([...tasks].flatMap(([id, { task }]) => (task === undefined ? snapshot.tasks.get(id)?.value.namespace ?? [] : [])));
  return [...namespaces].flatMap(name => {
    const limit = snapshot.namespaces.get(name)?.value.quota?.tasks;
    const used = [...snapshot.tasks.values()].filter(({ value }) => value.namespace === name && isUnfinished(snapshot, value)).length;
    return limit !== undefined && used > limit ? [`I12: namespace ${name} has ${String(used)} tasks after one was made, its quota is ${String(limit)}`] : [];
  });
}

/** Its own number, or what autoscaling made of it, within the limits that it has now. */
export function replicasOf(snapshot: ClusterSnapshot, { id, spec: { replicas, autoscale } }: Service): number {
  const scaled = snapshot.serviceStatuses.get(id)?.value.autoscale?.replicas ?? replicas;
  return autoscale === undefined ? replicas : Math.min(autoscale.max, Math.max(autoscale.min, scaled));
}

/** Of a blue_green those of the colour that gets the requests, as long as one of it serves: then they are for all (controller/endpoints). */
export function servingSlots(snapshot: ClusterSnapshot, id: ServiceId): ReadonlySet<number> {
  const active = snapshot.serviceStatuses.get(id)?.value.rollout.activeTemplate;
  const serving = tasksOf(snapshot, id).filter(task => isServing(snapshot, task));
  const asked = serving.filter(task => task.templateHash === active);
  return new Set((asked.length > 0 ? asked : serving).map(task => task.slot));
}

export function isServing(snapshot: ClusterSnapshot, task: Task): boolean {
  const status = snapshot.statuses.get(task.id)?.value;
  return task.desired === 'run' && status?.phase === 'running' && (status.health === 'none' || status.health === 'healthy') && !status.isPaused
    && snapshot.nodes.get(task.node)?.value.condition !== 'lost';
}

function tasksOf(snapshot: ClusterSnapshot, id: ServiceId): readonly Task[] {
  return [...snapshot.tasksOfService.get(id) ?? []].flatMap(task => snapshot.tasks.get(task)?.value ?? []);
}

function isUnfinished(snapshot: ClusterSnapshot, task: Task): boolean {
  return !isFinished(snapshot.statuses.get(task.id)?.value.phase ?? 'pending');
}
