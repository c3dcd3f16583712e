/** Every value that the model allows and the wire must carry, for fast-check. Absent fields are absent, not undefined. */
import { fc } from './property.ts';
import type { Volume } from '#model/volume.ts';
import type { App, AppSpec, ContentPins, Revision, SecretVersion, Service, ServiceStatus, VolumeSpec } from '#model/app.ts';
import type { Assignment } from '#model/assignment.ts';
import type { Digest } from '#model/digest.ts';
import type { EndpointChange } from '#model/endpoint-change.ts';
import type { EndpointSet } from '#model/endpoints.ts';
import type { ClusterEvent } from '#model/event.ts';
import { appId, serviceId } from '#model/ids.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { Namespace, NamespaceQuota, NamespaceView } from '#model/namespace.ts';
import type { ControllerRecord, Ledger, Node, NodePolicy, SessionRecord } from '#model/node.ts';
import type { ApplyOutcome, ClusterView, ViewPage, ViewRequest } from '#model/ports.ts';
import type { ClusterSettings, JoinTokenRecord, PlanRecord, RemovedNode, RequestRecord, RegistryLoginRecord } from '#model/records.ts';
import type { Resources } from '#model/resources.ts';
import { HOST_NAMESPACES, PLACEMENT_POLICIES, PROMOTE_MODES, SECURITY_PROFILES, SIDECAR_NAMESPACES } from '#model/service.ts';
import type { CompanionSpec, ContainerSpec, PlacementRule, PublishedPort, ServiceSpec, VolumeMount } from '#model/service.ts';
import type { AgentMessage, ControllerMessage } from '#model/session.ts';
import { PHASES } from '#model/task.ts';
import type { CompanionStatus, Task, TaskStatus } from '#model/task.ts';
import type { LayerProgress, NodeImage, NodeImagesSpec } from '#model/node-images.ts';
import type { TunnelFrame, TunnelRequest, TunnelSpec } from '#model/tunnel.ts';
import type { UsageSample } from '#model/usage.ts';

export const text = fc.string({ maxLength: 12, unit: 'grapheme' });
export const texts = fc.array(text, { maxLength: 3 });
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/);
export const count = fc.nat();
export const big = fc.maxSafeNat();
const port = fc.integer({ min: 1, max: 65_535 });
const bytes = fc.uint8Array({ maxLength: 64 }).map(array => new Uint8Array(array));
export const few = { maxLength: 3 };
const nameValue = fc.record({ name: text, value: text });
export const labels = fc.array(fc.tuple(label, text), few).map(entries => new Map(entries));

export const nodeId = label as fc.Arbitrary<NodeId>;
export const taskId = fc.stringMatching(/^[a-z2-7]{12}$/) as fc.Arbitrary<TaskId>;
const anyAppId = fc.tuple(label, label).map(([namespace, app]) => appId(namespace, app));
export const anyServiceId = fc.tuple(label, label, label).map(([namespace, app, name]) => serviceId(namespace, app, name));
const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/);
const digest = sha256.map(hex => `sha256:${hex}` as Digest);
export const resources: fc.Arbitrary<Resources> = fc.record({ milliCpu: big, memoryBytes: big, diskBytes: big, pids: big }, { requiredKeys: ['milliCpu', 'memoryBytes'] });
const kind = fc.constantFrom('service' as const, 'global' as const, 'stateful' as const, 'job' as const, 'cron' as const);

export const publishedPort: fc.Arbitrary<PublishedPort> = fc.record({
  published: port, target: port, protocol: fc.constantFrom('tcp', 'udp'), mode: fc.constantFrom('ingress', 'host'), allowFrom: texts,
}, { requiredKeys: ['target', 'protocol', 'mode', 'allowFrom'] });

const volumeMount: fc.Arbitrary<VolumeMount> = fc.oneof(
  fc.record({ kind: fc.constant('volume' as const), source: text, target: text, readOnly: fc.boolean() }),
  fc.record({ kind: fc.constant('bind' as const), hostPath: text, target: text, readOnly: fc.boolean() }),
  fc.record({ kind: fc.constant('tmpfs' as const), target: text, sizeBytes: big }),
);

const fileMounts = fc.array(fc.record(
  { source: text, target: text, mode: fc.nat(0o7777), uid: count, gid: count }, { requiredKeys: ['source', 'target', 'mode'] },
), few);

const healthCheck = fc.record({
  action: fc.oneof(
    fc.record({ kind: fc.constant('exec' as const), command: texts }),
    fc.record({ kind: fc.constant('tcp' as const), port }),
    fc.record({ kind: fc.constant('http' as const), port, path: text }),
    fc.record({ kind: fc.constant('grpc' as const), port, service: text }),
  ),
  intervalMs: big, timeoutMs: big, retries: count, startPeriodMs: big,
});

const deviceCounts = fc.array(fc.record({ name: text, count, milli: count }, { requiredKeys: ['name', 'count'] }), few);
const quota: fc.Arbitrary<NamespaceQuota> = fc.record({ milliCpu: big, memoryBytes: big, tasks: count, devices: deviceCounts }, { requiredKeys: ['devices'] });
const nodePolicy: fc.Arbitrary<NodePolicy> = fc.record({ bindPrefixes: texts, devicePaths: texts, devices: deviceCounts, allowsPrivileged: fc.boolean() });

const limits = fc.record({
  milliCpu: big, memoryBytes: big, pids: count, cpuset: text, swapBytes: big, storageBytes: big,
  io: fc.record({ weight: count, readBps: big, writeBps: big, readIops: big, writeIops: big }, { requiredKeys: [] }),
  hugepages: fc.array(fc.record({ pageBytes: big, bytes: big }), { ...few, minLength: 1 }),
}, { requiredKeys: ['memoryBytes', 'pids'] });

export const containerSpec: fc.Arbitrary<ContainerSpec> = fc.record({
  image: text, digest, entrypoint: texts, command: texts, environment: fc.array(nameValue, few), workingDir: text, hostname: text, stopSignal: text,
  stopGracePeriodMs: big, init: fc.boolean(), tty: fc.boolean(), stdin: fc.boolean(), healthcheck: healthCheck,
  restart: fc.record({ mode: fc.constantFrom('always', 'on-failure', 'never'), maxAttempts: count, windowMs: big, delayMs: big }),
  requests: resources,
  limits,
  ports: fc.array(publishedPort, few), configs: fileMounts, secrets: fileMounts, volumes: fc.array(volumeMount, few),
  security: fc.record({
    profile: fc.constantFrom(...SECURITY_PROFILES), user: text, readOnly: fc.boolean(), capAdd: texts, capDrop: texts,
    hostNamespaces: fc.subarray([...HOST_NAMESPACES]), mayGainPrivileges: fc.boolean(), isUnconfined: fc.boolean(),
    sidecarNamespaces: fc.array(fc.record({ namespace: fc.constantFrom(...SIDECAR_NAMESPACES), sidecar: text }), { ...few, minLength: 1 }),
  }, { requiredKeys: ['profile', 'readOnly', 'capAdd', 'capDrop', 'hostNamespaces', 'mayGainPrivileges', 'isUnconfined'] }),
  ulimits: fc.array(fc.record({ name: text, soft: big, hard: big }), few), sysctls: fc.array(nameValue, few), shmSizeBytes: big,
  extraHosts: fc.array(fc.record({ name: text, address: text }), few), runtime: text, dns: fc.record({ servers: texts, search: texts, options: texts }), pullPolicy: fc.constantFrom('always' as const, 'never' as const),
  devices: fc.array(fc.record({ hostPath: text, target: text, access: text }), few), deviceRequests: deviceCounts,
}, {
  requiredKeys: [
    'image', 'environment', 'stopGracePeriodMs', 'init', 'tty', 'stdin', 'restart', 'requests', 'limits', 'ports', 'configs', 'secrets', 'volumes',
    'security', 'ulimits', 'sysctls', 'shmSizeBytes', 'extraHosts', 'dns', 'devices', 'deviceRequests', 'runtime',
  ],
});

const companions: fc.Arbitrary<readonly CompanionSpec[]> = fc.array(
  fc.record({ name: text, role: fc.constantFrom('init', 'sidecar'), container: containerSpec }), { minLength: 1, maxLength: 2 },
);

const rule: fc.Arbitrary<PlacementRule> = fc.record({
  label: text, operator: fc.constantFrom('==', '!=', 'in', 'not-in', 'exists', 'not-exists', '>', '<'), values: texts,
});

const affinities = fc.array(fc.record({ service: text, label: text, weight: count }, { requiredKeys: ['service', 'label'] }), few);

export const serviceSpec: fc.Arbitrary<ServiceSpec> = fc.record({
  name: text, kind, replicas: count, labels: fc.array(nameValue, few),
  placement: fc.record({
    require: fc.array(rule, few), prefer: fc.array(fc.record({ rule, weight: fc.integer() }), few), spread: texts,
    maxPer: fc.array(fc.record({ label: text, count }), few), tolerate: texts, affinity: affinities, avoid: affinities,
    policy: fc.constantFrom(...PLACEMENT_POLICIES), priority: fc.integer(), isGang: fc.boolean(),
  }, { requiredKeys: ['require', 'prefer', 'spread', 'maxPer', 'tolerate', 'affinity', 'avoid', 'priority', 'isGang'] }),
  update: fc.record({
    strategy: fc.constantFrom('rolling', 'recreate', 'canary', 'blue_green'), maxSurge: count, maxUnavailable: count, monitorMs: big,
    onFailure: fc.constantFrom('rollback', 'pause'), stepPercents: fc.array(count, { minLength: 1, maxLength: 3 }), promote: fc.constantFrom(...PROMOTE_MODES), progressDeadlineMs: big,
  }, { requiredKeys: ['strategy', 'maxSurge', 'maxUnavailable', 'monitorMs', 'onFailure'] }),
  dependsOn: fc.array(fc.record({
    service: text, condition: fc.constantFrom('service_started', 'service_healthy', 'service_completed_successfully'),
  }), few),
  onDisconnect: fc.oneof(fc.record({ kind: fc.constant('replace' as const), afterMs: big }), fc.constant({ kind: 'hold' as const }), fc.record({ kind: fc.constant('exclusive' as const), stopAfterMs: big, replaceAfterMs: big })),
  job: fc.record({ retries: count, timeoutMs: big, parallelism: count, keepMs: big }, { requiredKeys: ['retries'] }),
  cron: fc.record({
    schedule: text, timezone: text, concurrency: fc.constantFrom('allow' as const, 'forbid' as const, 'replace' as const), startingDeadlineMs: big,
    keptSucceeded: count, keptFailed: count, isSuspended: fc.boolean(),
  }, { requiredKeys: ['schedule', 'timezone', 'concurrency', 'keptSucceeded', 'keptFailed', 'isSuspended'] }),
  autoscale: fc.record({
    min: count, max: count, cpuPercent: count, memoryPercent: count, metric: fc.record({ query: text, target: fc.double({ noNaN: true, min: 0.001 }) }), stabilizationMs: big, upStabilizationMs: big,
  }, { requiredKeys: ['min', 'max', 'stabilizationMs', 'upStabilizationMs'] }),
  container: containerSpec, companions,
}, { requiredKeys: ['name', 'kind', 'replicas', 'labels', 'placement', 'update', 'dependsOn', 'onDisconnect', 'container'] });

const volumeSpecs: fc.Arbitrary<readonly VolumeSpec[]> = fc.array(
  fc.record({ name: text, perReplica: fc.boolean(), sizeBytes: big }, { requiredKeys: ['name', 'perReplica'] }), few,
);
const pins: fc.Arbitrary<ContentPins> = fc.record({
  configs: fc.array(fc.record({ name: text, sha256 }), few), secrets: fc.array(fc.record({ name: text, version: count }), few),
});

export const app: fc.Arbitrary<App> = fc.record({
  namespace: label, name: label, revision: count, isDeleting: fc.boolean(), deletesVolumes: fc.boolean(), createdAtMs: big, updatedAtMs: big, expireAfterEndMs: big,
}, { requiredKeys: ['namespace', 'name', 'revision', 'isDeleting', 'deletesVolumes', 'createdAtMs', 'updatedAtMs'] })
  .map(record => ({ id: appId(record.namespace, record.name), ...record }));

export const volume: fc.Arbitrary<Volume> = fc.record({
  namespace: label, name: label, slot: count, node: nodeId, app: label, service: label, isPerNode: fc.boolean(),
  state: fc.constantFrom('present' as const, 'removing' as const, 'removed' as const), fence: big, createdAtMs: big, unusedSinceMs: big,
}, { requiredKeys: ['namespace', 'name', 'node', 'app', 'service', 'isPerNode', 'state', 'fence', 'createdAtMs'] });

export const revision: fc.Arbitrary<Revision> = fc.record({
  app: anyAppId, number: count, services: fc.array(serviceSpec, few), volumes: volumeSpecs, pins, createdAtMs: big, cause: text,
}, { requiredKeys: ['app', 'number', 'services', 'volumes', 'pins', 'createdAtMs'] });

export const service: fc.Arbitrary<Service> = fc.record({
  namespace: label, app: label, name: label, revision: count, spec: serviceSpec, pins, volumes: volumeSpecs, templateHash: text, virtualIp: text,
  isDeleting: fc.boolean(), restartCount: count, createdAtMs: big, updatedAtMs: big,
  cronRun: fc.record({ cron: label, scheduledAtMs: big, isManual: fc.boolean() }),
  scale: fc.record({ replicas: count, revision: count }),
  rollout: fc.record({ isPaused: fc.boolean(), promotedSteps: count, isAborted: fc.boolean() }),
}, { requiredKeys: ['namespace', 'app', 'name', 'revision', 'spec', 'pins', 'volumes', 'templateHash', 'virtualIp', 'isDeleting', 'restartCount', 'createdAtMs', 'updatedAtMs'] }).map(record => ({ id: serviceId(record.namespace, record.app, record.name), ...record }));

export const serviceStatus: fc.Arbitrary<ServiceStatus> = fc.record({
  id: anyServiceId, settledRevision: count,
  rollout: fc.record({
    state: fc.constantFrom('settled', 'progressing', 'waiting', 'rolled_back', 'failed', 'paused', 'awaiting_promotion'), reason: text, revision: count, startedAtMs: big,
    healthySinceMs: big, step: count, activeTemplate: text, progress: fc.record({ reached: count, sinceMs: big }),
  }, { requiredKeys: ['state', 'reason', 'revision', 'startedAtMs'] }),
  pending: fc.array(fc.record({ slot: count, reason: text, node: nodeId }, { requiredKeys: ['slot', 'reason'] }), few),
  crashLoops: fc.array(fc.record({ slot: count, failures: count, notBeforeMs: big, task: taskId }), few),
  cron: fc.record({ scheduleKey: text, handledUntilMs: big, lastScheduledAtMs: big, nextAtMs: big }, { requiredKeys: ['scheduleKey', 'handledUntilMs'] }),
  job: fc.record({ templateHash: text, completions: count, endedAtMs: big }),
  earlierJobs: fc.array(fc.record({ templateHash: text, completions: count, endedAtMs: big }), { minLength: 1, maxLength: 3 }),
  autoscale: fc.record({
    replicas: count, changedAtMs: big, reason: text, wishes: fc.array(fc.record({ atMs: big, replicas: count, least: count }), few), problem: text,
  }, { requiredKeys: ['replicas', 'changedAtMs', 'reason', 'wishes'] }),
  planned: fc.array(fc.record({ slot: count, node: nodeId }), { minLength: 1, maxLength: 3 }),
}, { requiredKeys: ['id', 'settledRevision', 'rollout', 'pending', 'crashLoops'] });

export const appSpec: fc.Arbitrary<AppSpec> = fc.record({
  namespace: text, name: text, services: fc.array(serviceSpec, few),
  configs: fc.array(fc.record({ name: text, content: bytes }), few),
  secrets: fc.array(fc.oneof(
    fc.record({ name: text, kind: fc.constant('external' as const) }),
    fc.record({ name: text, kind: fc.constant('content' as const), content: bytes }),
  ), few),
  volumes: volumeSpecs,
});

export const secretVersion: fc.Arbitrary<SecretVersion> = fc.record({
  namespace: text, name: text, version: count, keyId: text, nonce: bytes, sealed: bytes, createdAtMs: big,
});

export const task: fc.Arbitrary<Task> = fc.record({
  id: taskId, name: text, namespace: label, app: label, service: label, kind, slot: count, node: nodeId, revision: count, templateHash: text,
  container: containerSpec, pins, volumes: volumeSpecs, desired: fc.constantFrom('run' as const, 'stop' as const), reason: text, fence: big, createdAtMs: big,
  timeoutMs: fc.option(big, { nil: undefined }), stopAfterMs: fc.option(big, { nil: undefined }), companions: fc.option(companions, { nil: undefined }), isPaused: fc.boolean(), resourcesKey: text,
  moveTo: fc.option(nodeId, { nil: undefined }),
  deviceUnits: fc.option(fc.array(fc.record({ name: text, units: fc.array(count, few) }), { minLength: 1, maxLength: 2 }), { nil: undefined }),
}).map(({ timeoutMs, stopAfterMs, companions: beside, moveTo, deviceUnits, ...record }) => ({
  ...record, ...(moveTo === undefined ? {} : { moveTo }), ...(deviceUnits === undefined ? {} : { deviceUnits }), ...(timeoutMs === undefined ? {} : { timeoutMs }), ...(stopAfterMs === undefined ? {} : { stopAfterMs }),
  ...(beside === undefined ? {} : { companions: beside }), serviceId: serviceId(record.namespace, record.app, record.service),
}));

const exit = fc.record({ attempt: count, code: fc.option(fc.nat(255), { nil: null }), reason: text, finishedAtMs: big, hadChildOom: fc.constant(true) }, { requiredKeys: ['attempt', 'code', 'reason', 'finishedAtMs'] });

const companionStatus: fc.Arbitrary<CompanionStatus> = fc.record(
  { name: text, state: fc.constantFrom('waiting', 'running', 'ended'), restarts: count, pid: count, lastExit: exit }, { requiredKeys: ['name', 'state', 'restarts'] },
);

export const taskStatus: fc.Arbitrary<TaskStatus> = fc.record({
  id: taskId, node: nodeId, attempt: count, phase: fc.constantFrom(...PHASES), health: fc.constantFrom('none', 'starting', 'healthy', 'unhealthy'),
  reason: text, message: text, address: text, pid: count, startedAtMs: big, finishedAtMs: big, restarts: count, lastExit: exit,
  companions: fc.array(companionStatus, { minLength: 1, maxLength: 2 }),
  isPaused: fc.boolean(), resources: fc.record({ requests: resources, limits }),
}, { requiredKeys: ['id', 'node', 'attempt', 'phase', 'health', 'reason', 'message', 'restarts', 'isPaused'] });

export const node: fc.Arbitrary<Node> = fc.record({
  id: nodeId, availability: fc.constantFrom('active', 'cordoned', 'draining'), labels, taints: texts, subnetIndex: count, address: text,
  capacity: resources, pids: count, runtimes: texts, policy: nodePolicy, agentVersion: text, metricsAddress: text, snapshotter: text, cpus: text, hugepageSizes: fc.record({ bytes: fc.array(big, few) }), hasDeadman: fc.boolean(), networkFault: text, listeningPorts: texts, capabilities: texts, condition: fc.constantFrom('ready', 'silent', 'lost'),
  conditionSinceMs: big, isLossConfirmed: fc.boolean(), createdAtMs: big,
});

export const ledger: fc.Arbitrary<Ledger> = fc.record({ node: nodeId, requests: resources, hostPorts: texts });
export const sessionRecord: fc.Arbitrary<SessionRecord> = fc.record({ node: nodeId, sessionId: text, controllerId: text, openedAtMs: big, instanceNonce: text });
export const namespace: fc.Arbitrary<Namespace> = fc.record({ name: text, profile: fc.constantFrom(...SECURITY_PROFILES), bindPrefixes: texts, createdAtMs: big, updatedAtMs: big, quota }, { requiredKeys: ['name', 'profile', 'bindPrefixes', 'createdAtMs', 'updatedAtMs'] });
export const namespaceView: fc.Arbitrary<NamespaceView> = fc.record({ name: text, profile: fc.constantFrom(...SECURITY_PROFILES), bindPrefixes: texts, apps: count, updatedAtMs: big, quota, used: quota }, { requiredKeys: ['name', 'profile', 'bindPrefixes', 'apps'] });
const nodeWishes = fc.record({ availability: fc.constantFrom('active', 'cordoned', 'draining'), labels, taints: texts });
export const removedNode: fc.Arbitrary<RemovedNode> = fc.record({ node: nodeId, removedAtMs: big, replaced: nodeWishes }, { requiredKeys: ['node', 'removedAtMs'] });
export const controllerRecord: fc.Arbitrary<ControllerRecord> = fc.record(
  { id: text, apiAddress: text, metricsAddress: text, startedAtMs: big, joinAddress: text },
  { requiredKeys: ['id', 'apiAddress', 'metricsAddress', 'startedAtMs'] },
);

export const event: fc.Arbitrary<ClusterEvent> = fc.record({
  type: fc.constantFrom('normal', 'warning'), object: text, reason: text, message: text, firstAtMs: big, lastAtMs: big, count,
  messages: fc.array(fc.record({ message: text, firstAtMs: big, lastAtMs: big, count }), { minLength: 1, ...few }),
}, { requiredKeys: ['type', 'object', 'reason', 'message', 'firstAtMs', 'lastAtMs', 'count'] });

export const applyOutcome: fc.Arbitrary<ApplyOutcome> = fc.record({
  app: text, namespace: text, revision: count, isChanged: fc.boolean(),
  services: fc.array(fc.record({ name: text, change: fc.constantFrom('created', 'updated', 'unchanged', 'removed'), revision: count }, { requiredKeys: ['name', 'change'] }), few), warnings: texts,
});

export const joinToken: fc.Arbitrary<JoinTokenRecord> = fc.record(
  { hash: text, expiresAtMs: big, usedBy: text, usedAtMs: big, createdAtMs: big, node: text }, { requiredKeys: ['hash', 'expiresAtMs', 'createdAtMs'] },
);
export const requestRecord: fc.Arbitrary<RequestRecord> = fc.record({
  requestId: text, createdAtMs: big, fingerprint: bytes,
  outcome: fc.oneof(
    fc.constant({ kind: 'done' as const }),
    fc.record({ kind: fc.constant('applied' as const), outcome: applyOutcome }),
    fc.record({ kind: fc.constant('secret' as const), version: count }),
    fc.record({ kind: fc.constant('token' as const), expiresAtMs: big, keyId: text, nonce: bytes, sealed: bytes }),
    fc.record({ kind: fc.constant('tagged' as const), image: text, digest }),
  ),
});
export const registryLogin: fc.Arbitrary<RegistryLoginRecord> = fc.record({ namespace: label, registry: text, username: text, keyId: text, nonce: bytes, sealed: bytes, createdAtMs: big });
export const clusterSettings: fc.Arbitrary<ClusterSettings> = fc.record({ clusterId: text, defaultRegistry: text, createdAtMs: big });

export const planRecord: fc.Arbitrary<PlanRecord> = fc.record({
  id: taskId, baseRevision: big, apps: fc.array(fc.record({ id: anyAppId, specSha256: sha256, secrets: fc.array(fc.record({ name: label, version: count, createdAtMs: big }), few), namespaceSha256: sha256 }), few), membersSha256: sha256, createdAtMs: big,
});

export const usageSample: fc.Arbitrary<UsageSample> = fc.record({
  node: nodeId, task: taskId, atMs: big, cpuMicroseconds: big, memoryBytes: big, memoryLimitBytes: big, processes: count,
  networkReceiveBytes: count, networkTransmitBytes: count, ioReadBytes: count, ioWriteBytes: count, writableBytes: big,
}, { requiredKeys: ['node', 'task', 'atMs', 'cpuMicroseconds', 'memoryBytes', 'memoryLimitBytes', 'processes', 'networkReceiveBytes', 'networkTransmitBytes', 'ioReadBytes', 'ioWriteBytes'] });

const size = fc.record({ columns: count, rows: count });
const tunnelSpec: fc.Arbitrary<TunnelSpec> = fc.oneof(
  fc.record({ kind: fc.constant('logs' as const), follow: fc.boolean(), tail: count, sinceMs: big, timestamps: fc.boolean(), previous: fc.boolean() }, { requiredKeys: ['kind', 'follow', 'timestamps', 'previous'] }),
  fc.record({
    kind: fc.constant('exec' as const), command: texts, tty: fc.boolean(), stdin: fc.boolean(), user: text, workingDir: text,
    environment: fc.array(nameValue, few), size,
  }, { requiredKeys: ['kind', 'command', 'tty', 'stdin', 'environment'] }),
  fc.record({ kind: fc.constant('attach' as const), stdin: fc.boolean(), fromStart: fc.boolean(), size }, { requiredKeys: ['kind', 'stdin', 'fromStart'] }),
  fc.record({ kind: fc.constant('copy' as const), direction: fc.constantFrom('in' as const, 'out' as const), path: text }),
  fc.record({ kind: fc.constant('forward' as const), port }),
  fc.record({
    kind: fc.constant('debug' as const), image: text, digest, command: texts, tty: fc.boolean(), stdin: fc.boolean(), environment: fc.array(nameValue, few), size,
  }, { requiredKeys: ['kind', 'image', 'command', 'tty', 'stdin', 'environment'] }),
  fc.record({ kind: fc.constant('stats' as const), tasks: fc.array(taskId, few), intervalMs: big, withWritable: fc.boolean() }),
  fc.constant({ kind: 'inspect' as const }),
);
export const nodeImagesSpec: fc.Arbitrary<NodeImagesSpec> = fc.oneof(
  fc.constant({ kind: 'list' as const }),
  fc.record({ kind: fc.constant('pull' as const), image: text, digest, namespace: label }),
  fc.record({ kind: fc.constant('remove' as const), digest }),
);
export const layerProgress: fc.Arbitrary<LayerProgress> = fc.record({ digest, sizeBytes: big, doneBytes: big, isComplete: fc.boolean() });
export const nodeImage: fc.Arbitrary<NodeImage> = fc.record({
  digest, names: texts, sizeBytes: big, pulledAtMs: big, usedAtMs: big, tasks: fc.array(taskId, few),
  layers: fc.array(fc.record({ digest, sizeBytes: big, mediaType: text }), few),
  config: fc.record({ user: text, environment: texts, entrypoint: texts, command: texts, workingDir: text, stopSignal: text }),
});
export const tunnelRequest: fc.Arbitrary<TunnelRequest> = fc.oneof(
  fc.record({ task: taskId, spec: tunnelSpec, container: text }, { requiredKeys: ['task', 'spec'] }), fc.record({ node: nodeId, images: nodeImagesSpec }),
);
export const tunnelFrame: fc.Arbitrary<TunnelFrame> = fc.oneof(
  fc.record({ kind: fc.constant('data' as const), stream: fc.constantFrom('stdin' as const, 'stdout' as const, 'stderr' as const), bytes }),
  fc.record({ kind: fc.constant('resize' as const), size }),
  fc.record({ kind: fc.constant('signal' as const), signal: text }),
  fc.record({ kind: fc.constant('stop' as const), graceMs: big }, { requiredKeys: ['kind'] }),
  fc.constant({ kind: 'eof' as const }),
  fc.record({ kind: fc.constant('exit' as const), code: fc.nat(255) }),
  fc.record({ kind: fc.constant('error' as const), code: text, message: text }),
  fc.record({ kind: fc.constant('image' as const), image: nodeImage }),
  fc.record({ kind: fc.constant('pull' as const), layers: fc.array(layerProgress, few) }),
  fc.record({ kind: fc.constant('usage' as const), sample: usageSample }),
);

const serviceEndpoints = fc.record({
  namespace: label, app: label, service: label, kind, virtualIp: text, ports: fc.array(publishedPort, few),
  endpoints: fc.array(fc.record({ task: taskId, node: nodeId, address: text, slot: count, isHealthy: fc.boolean() }), few),
}).map(entry => ({ id: serviceId(entry.namespace, entry.app, entry.service), ...entry }));
const peerNodes = fc.array(fc.record({ id: nodeId, subnetIndex: count, address: text }), few);
export const endpointSet: fc.Arbitrary<EndpointSet> = fc.record({ generation: big, services: fc.array(serviceEndpoints, few), nodes: peerNodes });
export const endpointChange: fc.Arbitrary<EndpointChange> = fc.record({
  from: big, generation: big, services: fc.array(fc.record({ service: serviceEndpoints, removedTasks: fc.array(taskId, few) }), few),
  removedServices: fc.array(anyServiceId, few), nodes: peerNodes, removedNodes: fc.array(nodeId, few),
});

const volumeUses = fc.array(fc.record({ name: text, fence: big }), few);
const contents = fc.array(fc.record({ key: text, content: bytes }), few);
const assignment: fc.Arbitrary<Assignment> = fc.oneof(
  fc.record({ kind: fc.constant('full' as const), epoch: big, generation: big, tasks: fc.array(task, few), contents, volumeRemovals: volumeUses }),
  fc.record({
    kind: fc.constant('delta' as const), epoch: big, from: big, generation: big, upserts: fc.array(task, few), removals: fc.array(taskId, few), contents, volumeRemovals: volumeUses,
  }),
);
const statuses = fc.array(taskStatus, few);

export const agentMessage: fc.Arbitrary<AgentMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('register' as const), node: nodeId, agentVersion: text, bootId: text, address: text, capacity: resources, pids: count, labels,
    runtimes: texts, policy: nodePolicy, architecture: text, metricsAddress: text, snapshotter: text, cpus: text, hugepageSizes: fc.record({ bytes: fc.array(big, few) }), hasDeadman: fc.boolean(), networkFault: text, listeningPorts: texts, capabilities: texts, takesEndpointChanges: fc.boolean(), statuses, previousNonce: text, nextNonce: text, knownRevision: big, clusterId: text,
  }),
  fc.record({
    kind: fc.constant('heartbeat' as const), seq: big, ackEcho: big, endpointsGeneration: big, assignmentGeneration: big,
    statuses, removedVolumes: texts, keptVolumes: volumeUses, health: fc.record({ hasDeadman: fc.boolean(), networkFault: text, listeningPorts: texts }),
  }, { requiredKeys: ['kind', 'seq', 'ackEcho', 'endpointsGeneration', 'assignmentGeneration', 'statuses', 'removedVolumes', 'keptVolumes'] }),
  fc.record({ kind: fc.constant('tunnel-refused' as const), tunnelId: text, code: text, message: text }),
  fc.constant({ kind: 'assignment-gap' as const }),
  fc.constant({ kind: 'endpoints-gap' as const }),
  fc.record({ kind: fc.constant('news' as const), usage: fc.array(usageSample, few), events: fc.array(event, few) }),
);
export const controllerMessage: fc.Arbitrary<ControllerMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('registered' as const), sessionId: text, subnetIndex: count, times: fc.record({ heartbeatMs: big, lostMs: big }), controllers: texts, joinAddresses: texts, clusterId: text,
    takesNodeHealth: fc.boolean(), takesNews: fc.boolean(),
  }, { requiredKeys: ['kind', 'sessionId', 'subnetIndex', 'times', 'controllers', 'joinAddresses', 'clusterId'] }),
  fc.record({ kind: fc.constant('ack' as const), seq: big, settled: fc.array(fc.record({ task: taskId, attempt: count, phase: text }), few) }),
  fc.record({ kind: fc.constant('assignment' as const), assignment }),
  fc.record({ kind: fc.constant('endpoints' as const), endpoints: endpointSet }),
  fc.record({ kind: fc.constant('endpoint-change' as const), change: endpointChange }),
  fc.record({ kind: fc.constant('open-tunnel' as const), tunnelId: text, request: tunnelRequest, login: fc.record({ username: text, password: text }) }, { requiredKeys: ['kind', 'tunnelId', 'request'] }),
  fc.record({ kind: fc.constant('go-elsewhere' as const), reason: text }),
  fc.record({ kind: fc.constant('refused' as const), code: fc.constantFrom('PERMISSION_DENIED' as const, 'FAILED_PRECONDITION' as const), message: text }),
);

export const clusterView: fc.Arbitrary<ClusterView> = fc.record({
  etcdRevision: big, apps: fc.array(app, few),
  services: fc.array(fc.record({ service, status: serviceStatus, running: count, healthy: count, wanted: count }, { requiredKeys: ['service', 'running', 'healthy', 'wanted'] }), few),
  tasks: fc.array(fc.record({ task, status: taskStatus, state: fc.constantFrom(...PHASES, 'lost' as const, 'paused' as const) }, { requiredKeys: ['task', 'state'] }), few),
  pending: fc.array(fc.record({ service: anyServiceId, slot: count, reason: text }), few),
  nodes: fc.array(fc.record({ node, ledger, lastSeenMs: big, controllerId: text }, { requiredKeys: ['node', 'ledger'] }), few),
  massBreaker: fc.record({ reason: text }),
  change: fc.record({
    isPartial: fc.boolean(), goneApps: fc.array(app.map(({ id }) => id), few), goneServices: fc.array(anyServiceId, few),
    goneTasks: fc.array(task.map(({ id }) => id), few), goneNodes: fc.array(nodeId, few),
  }),
}, { requiredKeys: ['etcdRevision', 'apps', 'services', 'tasks', 'pending', 'nodes'] });

export const viewRequest: fc.Arbitrary<ViewRequest> = fc.record(
  { filter: fc.record({ namespace: text, node: nodeId }, { requiredKeys: [] }), pageSize: fc.nat({ max: 10_000 }), pageToken: text }, { requiredKeys: ['filter', 'pageSize'] },
);

export const viewPage: fc.Arbitrary<ViewPage> = fc.record({ view: clusterView, nextPageToken: text }, { requiredKeys: ['view'] });
