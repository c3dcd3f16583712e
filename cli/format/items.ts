/** The JSON shapes that scripts rely on: fields may be added, never renamed. */
import type { App } from '#model/app.ts';
import { messagesOf } from '#model/event.ts';
import type { ClusterEvent } from '#model/event.ts';
import { splitServiceId } from '#model/ids.ts';
import type { ClusterView, NodeView, PendingSlot, ServiceView, TaskView } from '#model/ports.ts';
import { formatMemory } from '#model/quantity.ts';
import { resourcesOf } from '#model/resources.ts';
import { isFinished } from '#model/task.ts';
import type { CompanionStatus, TaskStatus } from '#model/task.ts';
import { formatTime } from './age.ts';

export type Item = Readonly<Record<string, unknown>>;

/** One object; `title` is its name as `-o name` prints it, without the type. */
export interface TitledDocument {
  readonly title: string;
  readonly item: Item;
}

function nodeState({ node }: NodeView): 'ready' | 'lost' | 'draining' | 'cordoned' {
  if (node.condition === 'lost') {
    return 'lost';
  }
  return node.availability === 'active' ? 'ready' : node.availability;
}

/** As people read it: `drained`, `silent` where the node is not heard now and not given up yet, and `network fault`. @param tasks  at least those of the node */
export function nodeStateWords(view: NodeView, tasks: readonly TaskView[]): string {
  const { condition, networkFault } = view.node;
  const state = isDrained(view, tasks) ? 'drained' : nodeState(view);
  const troubles = [...(condition === 'silent' ? ['silent'] : []), ...(condition === 'lost' || networkFault === '' ? [] : ['network fault'])];
  return [...(state === 'ready' && troubles.length > 0 ? [] : [state]), ...troubles].join(', ');
}

/** Nothing runs there any more, and nothing will: it may be taken away. */
export function isDrained({ node }: NodeView, tasks: readonly TaskView[]): boolean {
  return node.availability === 'draining' && node.condition !== 'lost' && tasks.every(({ task, status }) => task.node !== node.id || isFinished(status?.phase ?? 'pending'));
}

/** @param tasks  at least those of the node */
export function nodeItem(view: NodeView, tasks: readonly TaskView[]): Item {
  const { node, ledger, lastSeenMs } = view;
  return {
    name: node.id, state: nodeState(view), condition: node.condition, networkFault: node.networkFault === '' ? null : node.networkFault, listeningPorts: node.listeningPorts, drained: isDrained(view, tasks), labels: Object.fromEntries([...node.labels].toSorted()), taints: node.taints, address: node.address,
    capacity: { ...node.capacity, pids: node.pids, devices: Object.fromEntries(node.policy.devices.map(({ name, count }) => [name, count])) },
    allocated: { ...ledger.requests, hostPorts: ledger.hostPorts },
    agentVersion: node.agentVersion, capabilities: node.capabilities, runtimes: node.runtimes, hugepageSizes: node.hugepageSizes?.bytes.map(size => formatMemory(size)) ?? null,
    policy: { privileged: node.policy.allowsPrivileged, bindPrefixes: node.policy.bindPrefixes, devicePaths: node.policy.devicePaths }, snapshotter: node.snapshotter === '' ? null : node.snapshotter, lastSeen: formatTime(lastSeenMs),
  };
}

export function serviceItem({ service, status, running, healthy, wanted }: ServiceView, tasks: readonly TaskView[]): Item {
  const { container } = service.spec;
  return {
    namespace: service.namespace, app: service.app, name: service.name, kind: service.spec.kind, replicas: wanted, running, healthy,
    revision: service.revision, image: container.image, digest: container.digest ?? null,
    ports: container.ports.map(({ published, target, protocol, mode }) => ({ published: published ?? null, target, protocol, mode })),
    containers: (service.spec.companions ?? []).map(companion => ({ name: companion.name, role: companion.role, image: companion.container.image, digest: companion.container.digest ?? null })),
    resources: resourcesOf(container), virtualIp: service.virtualIp,
    endpoints: tasks.filter(({ task }) => task.serviceId === service.id).flatMap(task => endpointItems(task)),
    rollout: { state: status?.rollout.state ?? 'progressing', reason: status?.rollout.reason ?? '' },
    ...autoscaleItem({ service, wanted, ...(status === undefined ? {} : { status }) }),
    ...cronItem({ service, ...(status === undefined ? {} : { status }) }),
  };
}

/** Of a service that scales by itself: its limits, what it scales by, and why there are as many replicas as there are. */
function autoscaleItem({ service: { spec: { autoscale } }, status, wanted }: Pick<ServiceView, 'service' | 'status' | 'wanted'>): Item {
  if (autoscale === undefined) {
    return {};
  }
  const { min, max, cpuPercent = null, memoryPercent = null, metric = null } = autoscale;
  const { reason = '', problem = '', changedAtMs } = status?.autoscale ?? {};
  return {
    autoscale: {
      min, max, replicas: wanted, cpuPercent, memoryPercent, metric, reason, problem, changedAt: formatTime(changedAtMs),
    },
  };
}

/** Of a cron when it ran and will run; of one of its runs which it is. */
function cronItem({ service: { spec, cronRun }, status }: Pick<ServiceView, 'service' | 'status'>): Item {
  if (spec.cron !== undefined) {
    const { schedule, timezone, concurrency, isSuspended } = spec.cron;
    return {
      cron: { schedule, timezone, concurrency, suspended: isSuspended, lastRun: formatTime(status?.cron?.lastScheduledAtMs), nextRun: formatTime(status?.cron?.nextAtMs) },
    };
  }
  return cronRun === undefined ? {} : { cronRun: { cron: cronRun.cron, scheduledAt: formatTime(cronRun.scheduledAtMs), manual: cronRun.isManual } };
}

export function taskItem({ task, status, state }: TaskView): Item {
  const observed = status === undefined ? NOT_OBSERVED : observedFields(status);
  return {
    id: task.id, name: task.name, namespace: task.namespace, app: task.app, service: task.service, slot: task.slot, node: task.node,
    desired: task.desired, state, image: task.container.image, digest: task.container.digest ?? null, resources: resourcesOf(task.container), createdAt: formatTime(task.createdAtMs), ...observed,
    containers: containerItems(task, status),
  };
}

/** Init containers and sidecars, in the order they start; empty for a task of one container. */
function containerItems(task: TaskView['task'], status: TaskStatus | undefined): readonly Item[] {
  return (task.companions ?? []).map(({ name, role, container }) => {
    const { state, restarts, lastExit } = status?.companions?.find(one => one.name === name) ?? UNSEEN_COMPANION;
    return { name, role, image: container.image, digest: container.digest ?? null, state, restarts, exitCode: lastExit?.code ?? null, reason: lastExit?.reason ?? '' };
  });
}

const UNSEEN_COMPANION: Omit<CompanionStatus, 'name'> = { state: 'waiting', restarts: 0 };

const NOT_OBSERVED: Item = {
  health: 'none', reason: '', message: '', address: null, pid: null, attempt: 0, restarts: 0, exitCode: null, lastExit: null, startedAt: null, finishedAt: null,
};

function observedFields(status: TaskStatus): Item {
  const { health, reason, message, attempt, restarts, lastExit } = status;
  return {
    health, reason, message, address: status.address ?? null, pid: status.pid ?? null, attempt, restarts, exitCode: lastExit?.code ?? null,
    lastExit: lastExit === undefined ? null : { code: lastExit.code, reason: lastExit.reason, finishedAt: formatTime(lastExit.finishedAtMs) },
    startedAt: formatTime(status.startedAtMs), finishedAt: formatTime(status.finishedAtMs),
  };
}

/** A slot that fits nowhere has the shape of a task, without an id and a node. */
export function pendingItem({ service, slot, reason }: PendingSlot): Item {
  const { namespace, app, service: name } = splitServiceId(service);
  return {
    id: null, name: `${name}-${String(slot)}`, namespace, app, service: name, slot, node: null, desired: 'run', state: 'pending',
    image: null, digest: null, resources: null, createdAt: null, containers: [], ...NOT_OBSERVED, reason: 'unplaced', message: reason,
  };
}

export function appItem(app: App, view: ClusterView): Item {
  const services = servicesOfApp(app, view);
  return { namespace: app.namespace, name: app.name, revision: app.revision, services: services.map(({ service }) => service.name), state: appState(app, services) };
}

/** Those that it declares: the runs of its crons are not among them. */
export function servicesOfApp(app: App, view: ClusterView): readonly ServiceView[] {
  return view.services.filter(({ service }) => service.app === app.name && service.namespace === app.namespace && service.cronRun === undefined);
}

export function appState(app: App, services: readonly ServiceView[]): string {
  if (app.isDeleting) {
    return 'deleting';
  }
  const states = services.map(({ status }) => status?.rollout.state ?? 'progressing');
  return ['failed', 'rolled_back', 'waiting', 'progressing'].find(state => states.some(one => one === state)) ?? 'settled';
}

export function eventItem(event: ClusterEvent): Item {
  return {
    time: formatTime(event.lastAtMs), type: event.type, object: event.object, reason: event.reason, message: event.message, count: event.count,
    firstTime: formatTime(event.firstAtMs),
    messages: messagesOf(event).map(({ message, firstAtMs, lastAtMs, count }) => ({ time: formatTime(lastAtMs), message, count, firstTime: formatTime(firstAtMs) })),
  };
}

function endpointItems({ task, status, state }: TaskView): readonly Item[] {
  if (state !== 'running' || status?.address === undefined) {
    return [];
  }
  const healthy = status.health === 'healthy' || status.health === 'none';
  const ports = task.container.ports.length === 0 ? [null] : task.container.ports.map(({ target }) => target);
  return ports.map(port => ({ task: task.id, address: status.address, port, healthy }));
}
