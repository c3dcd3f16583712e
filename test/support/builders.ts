/** Model values with defaults at a fixed time: a test names only what it is about. Everything is frozen. */
import { CAPABILITIES } from '#model/capability.ts';
import type { App, Revision, Service, ServiceStatus } from '#model/app.ts';
import type { ClusterSnapshot, UnreadableTask, Versioned } from '#model/cluster-snapshot.ts';
import type { ClusterEvent } from '#model/event.ts';
import { appId, parseNodeId, parseTaskId, serviceId, taskName } from '#model/ids.ts';
import type { AppId, NodeId, ServiceId, TaskId } from '#model/ids.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import type { ControllerRecord, Node, SessionRecord } from '#model/node.ts';
import { resourcesKey } from '#model/resources.ts';
import type { Resources } from '#model/resources.ts';
import type { ContainerSpec, PlacementSpec, ServiceSpec, UpdateSpec } from '#model/service.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { volumeId, volumeName } from '#model/volume.ts';
import type { Volume } from '#model/volume.ts';

/** 2026-01-01T00:00:00Z. */
export const T0 = 1_767_225_600_000;
export const MIB = 1024 * 1024;

const DEFAULT_PLACEMENT: PlacementSpec = { require: [], prefer: [], spread: [], maxPer: [], tolerate: [], affinity: [], avoid: [], priority: 0, isGang: false };
const DEFAULT_UPDATE: UpdateSpec = { strategy: 'rolling', maxSurge: 1, maxUnavailable: 0, monitorMs: 30_000, onFailure: 'rollback' };

/** Options of `node`; labels add to `node arch os`. */
export interface NodeOptions extends Partial<Omit<Node, 'id' | 'labels'>> {
  readonly labels?: Readonly<Record<string, string>>;
}

export function node(name: string, options: NodeOptions = {}): Node {
  const { labels, ...rest } = options;
  return deepFreeze({
    id: parseNodeId(name),
    availability: 'active',
    labels: new Map(Object.entries({ node: name, arch: 'amd64', os: 'linux', ...labels })),
    taints: [],
    subnetIndex: Number(/\d+$/.exec(name)?.[0] ?? 0),
    address: '10.161.0.1',
    capacity: resources(4_000, 4_096),
    pids: 32_768,
    runtimes: ['crun'],
    policy: CLOSED_NODE_POLICY,
    snapshotter: 'overlay',
    agentVersion: '0.1.0',
    metricsAddress: '', cpus: '0-3', hasDeadman: true, networkFault: '', listeningPorts: [], capabilities: CAPABILITIES,
    condition: 'ready',
    conditionSinceMs: T0,
    isLossConfirmed: false,
    createdAtMs: T0,
    ...rest,
  });
}

export function resources(milliCpu: number, memoryMib: number): Resources {
  return { milliCpu, memoryBytes: memoryMib * MIB };
}

export function container(options: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    image: 'docker.io/library/nginx:1.27', environment: [], stopGracePeriodMs: 10_000, init: false, tty: false, stdin: false,
    restart: { mode: 'always', maxAttempts: 5, windowMs: 600_000, delayMs: 1_000 },
    requests: resources(50, 32), limits: { memoryBytes: 512 * MIB, pids: 512 },
    ports: [], configs: [], secrets: [], volumes: [],
    security: { profile: 'baseline', readOnly: false, capAdd: [], capDrop: [], hostNamespaces: [], mayGainPrivileges: false, isUnconfined: false },
    ulimits: [], sysctls: [], shmSizeBytes: 64 * MIB, extraHosts: [], dns: { servers: [], search: [], options: [] }, devices: [], deviceRequests: [], runtime: 'crun',
    ...options,
  };
}

/** The options of `service`: of the spec, of its parts, and of the record. */
export interface ServiceOptions extends Partial<Omit<ServiceSpec, 'name' | 'container' | 'placement' | 'update'>> {
  readonly name?: string;
  readonly app?: string;
  readonly revision?: number;
  readonly templateHash?: string;
  readonly isDeleting?: boolean;
  readonly volumes?: Service['volumes'];
  readonly container?: Partial<ContainerSpec>;
  readonly placement?: Partial<PlacementSpec>;
  readonly update?: Partial<UpdateSpec>;
}

/** `default/shop/web`, three replicas of `service`; stateful and hold services roll out stop-first as the schema makes them. */
export function service(options: ServiceOptions = {}): Service {
  const { name = 'web', app = 'shop', revision = 1, templateHash = 'hash-1', isDeleting = false, volumes = [], ...spec } = options;
  return deepFreeze({
    id: serviceId('default', app, name), namespace: 'default', app, name, revision,
    spec: serviceSpec(name, spec),
    pins: { configs: [], secrets: [] }, volumes, templateHash,
    virtualIp: '10.160.0.1', isDeleting, restartCount: 0, createdAtMs: T0, updatedAtMs: T0,
  });
}

function serviceSpec(name: string, options: Omit<ServiceOptions, 'name' | 'app'>): ServiceSpec {
  const { container: containerOptions, placement, update, kind = 'service', ...rest } = options;
  const onDisconnect = rest.onDisconnect ?? (kind === 'stateful' ? { kind: 'hold' } : { kind: 'replace', afterMs: 50_000 });
  const surge = onDisconnect.kind !== 'replace' ? { maxSurge: 0, maxUnavailable: 1 } : {};
  return {
    kind, replicas: kind === 'global' ? 0 : kind === 'job' || kind === 'cron' ? 1 : 3, labels: [], dependsOn: [],
    ...(kind === 'job' || kind === 'cron' ? { job: { retries: 3 } } : {}),
    ...rest,
    name,
    onDisconnect,
    placement: { ...DEFAULT_PLACEMENT, ...placement },
    update: { ...DEFAULT_UPDATE, ...surge, ...update },
    container: container(containerOptions),
  };
}

export function taskId(text: string): TaskId {
  return parseTaskId(text.padEnd(12, 'a'));
}

/** A task of `of` in `slot` on `on`; its id is `a<slot letter>` unless given. */
export function task(of: Service, on: Node | string, options: Partial<Task> = {}): Task {
  const slot = options.slot ?? 0;
  const id = options.id ?? taskId(`t${letter(slot)}`);
  return deepFreeze({
    id, name: taskName(of.name, slot, id, of.spec.kind === 'stateful'),
    namespace: of.namespace, app: of.app, service: of.name, serviceId: of.id, kind: of.spec.kind, slot,
    node: parseNodeId(typeof on === 'string' ? on : on.id),
    revision: of.revision, templateHash: of.templateHash, container: of.spec.container, pins: of.pins, volumes: of.volumes,
    desired: 'run', reason: 'scale-up', fence: 1, isPaused: false, resourcesKey: resourcesKey(of.spec.container), createdAtMs: T0,
    ...options,
  });
}

function letter(slot: number): string {
  return `${String.fromCharCode(97 + Math.floor(slot / 26))}${String.fromCharCode(97 + (slot % 26))}`;
}

/** Running and without a health check, unless options say otherwise. */
export function status(of: Task, options: Partial<TaskStatus> = {}): TaskStatus {
  return deepFreeze({
    id: of.id, node: of.node, attempt: 1, phase: 'running', health: 'none', reason: '', message: '',
    address: '10.128.0.2', startedAtMs: T0, restarts: 0, isPaused: false, ...options,
  });
}

/** The failed end of a task. */
export function failed(of: Task, options: Partial<TaskStatus> = {}): TaskStatus {
  return status(of, {
    phase: 'failed', reason: 'crash-loop', message: 'exited with 1', finishedAtMs: T0 + 1_000, restarts: 4, attempt: 5,
    lastExit: { attempt: 5, code: 1, reason: 'exited', finishedAtMs: T0 + 1_000 }, ...options,
  });
}

export function serviceStatus(of: Service, options: Partial<ServiceStatus> = {}): ServiceStatus {
  return deepFreeze({
    id: of.id, settledRevision: of.revision,
    rollout: { state: 'settled', reason: '', revision: of.revision, startedAtMs: T0 },
    pending: [], crashLoops: [], ...options,
  });
}

export function app(name = 'shop', options: Partial<App> = {}): App {
  return { id: appId('default', name), namespace: 'default', name, revision: 1, isDeleting: false, deletesVolumes: false, createdAtMs: T0, updatedAtMs: T0, ...options };
}

/** `default/data` on `on`, of `default/shop/web`; what no service has yet. */
export function volume(on: string, options: Partial<Volume> = {}): Volume {
  return deepFreeze({ namespace: 'default', name: 'data', node: parseNodeId(on), app: 'shop', service: 'web', isPerNode: false, state: 'present', fence: 1, createdAtMs: T0, ...options });
}

/** The Revision that holds the spec of `of`. */
export function revisionWith(of: Service): Revision {
  return { app: appId(of.namespace, of.app), number: of.revision, services: [of.spec], volumes: of.volumes, pins: of.pins, createdAtMs: T0 };
}

export interface SnapshotOptions {
  readonly etcdRevision?: number;
  readonly epoch?: number;
  readonly apps?: readonly App[];
  readonly services?: readonly Service[];
  readonly serviceStatuses?: readonly ServiceStatus[];
  readonly tasks?: readonly Task[];
  /** Absent: every task runs. */
  readonly statuses?: readonly TaskStatus[];
  readonly nodes?: readonly Node[];
  readonly sessions?: readonly SessionRecord[];
  readonly controllers?: readonly ControllerRecord[];
  readonly massBreaker?: ClusterEvent;
  /** With what is known of each; nothing, where there is only the id. */
  readonly unreadableTasks?: readonly (TaskId | readonly [TaskId, UnreadableTask])[];
  readonly unreadableApps?: readonly AppId[];
  readonly unreadableNodes?: readonly NodeId[];
  readonly volumes?: readonly Volume[];
  readonly unreadableVolumes?: readonly string[];
}

/** A snapshot at etcd revision 100 with its indexes; an App for each service. Ledgers are left out: decisions count tasks. */
export function snapshot(options: SnapshotOptions = {}): ClusterSnapshot {
  const { services = [], tasks = [] } = options;
  const apps = options.apps ?? [...new Set(services.map(one => one.app))].map(name => app(name));
  return {
    etcdRevision: options.etcdRevision ?? 100,
    epoch: options.epoch ?? 1,
    apps: versioned<AppId, App>(apps),
    services: versioned<ServiceId, Service>(services),
    serviceStatuses: versioned<ServiceId, ServiceStatus>(options.serviceStatuses ?? []),
    tasks: versioned<TaskId, Task>(tasks),
    ...unreadableOf(options),
    statuses: versioned<TaskId, TaskStatus>(options.statuses ?? tasks.map(one => status(one))),
    // Older than every task and volume.
    nodes: new Map((options.nodes ?? []).map(value => [value.id, { value, createRevision: 1, modRevision: 20 }])),
    ledgers: new Map(),
    sessions: new Map((options.sessions ?? []).map(one => [one.node, record(one)])),
    controllers: new Map((options.controllers ?? []).map(one => [one.id, record(one)])),
    secrets: new Map(),
    ...volumesOf(options),
    namespaces: new Map(),
    unreadableNamespaces: new Set(),
    ...breakerOf(options),
    tasksOfService: index(tasks, one => one.serviceId),
    tasksOnNode: index(tasks, one => one.node),
  };
}

function unreadableOf(options: SnapshotOptions): Pick<ClusterSnapshot, 'unreadableTasks' | 'unreadableApps' | 'unreadableNodes'> {
  const { unreadableTasks = [], unreadableApps, unreadableNodes = [] } = options;
  return {
    unreadableTasks: new Map(unreadableTasks.map(one => (typeof one === 'string' ? [one, {}] : one))),
    unreadableApps: new Set(unreadableApps), unreadableNodes: new Map(unreadableNodes.map(id => [id, {}])),
  };
}

function volumesOf({ volumes = [], unreadableVolumes }: SnapshotOptions): Pick<ClusterSnapshot, 'volumes' | 'unreadableVolumes' | 'volumesLeaving'> {
  const leaving = Map.groupBy(volumes.filter(one => one.state === 'removing'), one => one.node);
  return {
    volumes: new Map(volumes.map(one => [volumeId(volumeName(one), one.node), record(one)])), unreadableVolumes: new Set(unreadableVolumes),
    volumesLeaving: new Map([...leaving].map(([id, some]) => [id, new Set(some.map(volumeName))])),
  };
}

function breakerOf({ massBreaker }: SnapshotOptions): Pick<ClusterSnapshot, 'massBreaker'> {
  return massBreaker === undefined ? {} : { massBreaker: record(massBreaker) };
}

function record<T>(value: T): Versioned<T> {
  return { value, createRevision: 10, modRevision: 20 };
}

function versioned<Id, T extends { readonly id: Id }>(values: readonly T[]): ReadonlyMap<Id, Versioned<T>> {
  return new Map(values.map(value => [value.id, record(value)]));
}

function index<Key>(tasks: readonly Task[], keyOf: (task: Task) => Key): ReadonlyMap<Key, ReadonlySet<TaskId>> {
  const result = new Map<Key, Set<TaskId>>();
  for (const one of [...tasks].sort((left, right) => (left.id < right.id ? -1 : 1))) {
    const ids = result.get(keyOf(one)) ?? new Set();
    result.set(keyOf(one), ids.add(one.id));
  }
  return result;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
