/** May a task run on a node? Ordered filters; the first that says no names the obstacle. */
import { requestsOf } from '#model/companion.ts';
import { formatPlacementRule, matches } from '#model/constraint.ts';
import type { Service } from '#model/app.ts';
import { missingCpu } from '#model/cpuset.ts';
import type { NodeId } from '#model/ids.ts';
import { isBelowPrefix } from '#model/namespace.ts';
import { freeDevices, freeOf, hostPortsOf } from './node-load.ts';
import type { NodeLoad } from './node-load.ts';
import type { LabelCounts } from './label-counts.ts';
import { volumeKeys } from './volume-homes.ts';
import type { VolumeHomes } from './volume-homes.ts';

/** Why one node is not for one task. */
export type Obstacle = { readonly node: NodeId } & (
  | { readonly kind: 'node'; readonly state: 'cordoned' | 'draining' | 'silent' | 'lost' }
  | { readonly kind: 'taint'; readonly taint: string }
  | { readonly kind: 'label'; readonly rule: string }
  | { readonly kind: 'runtime'; readonly runtime: string }
  | { readonly kind: 'privileged' }
  | { readonly kind: 'bind' | 'device-path'; readonly hostPath: string }
  | { readonly kind: 'device'; readonly device: string; readonly need: number; readonly free: number }
  | { readonly kind: 'cpuset'; readonly cpuset: string; readonly cpus: string }
  | { readonly kind: 'volume'; readonly volume: string; readonly home: NodeId }
  | { readonly kind: 'max-per'; readonly label: string; readonly count: number }
  | { readonly kind: 'host-port'; readonly port: string }
  | { readonly kind: 'memory' | 'cpu'; readonly need: number; readonly free: number }
);

/** What a call knows about the service it places; changes as it places. */
export interface ServiceRequest {
  readonly service: Service;
  readonly homes: VolumeHomes;
  /** Where the newest task of each slot is or was, unless it failed: its image is there, and whoever plans knows the node. */
  readonly previous: ReadonlyMap<number, NodeId>;
  /** All its tasks that are not finished nor lost. */
  readonly placed: LabelCounts;
  /** Those of them with the current template. */
  readonly current: LabelCounts;
}

/** Filters that say the same for every task of the service, whatever else is placed in the call. */
const NODE_FILTERS: readonly ((load: NodeLoad, request: ServiceRequest) => Obstacle | undefined)[] = [
  isReady, isTolerated, hasLabels, hasRuntime, offersOpenings, hasCpus,
];
const TASK_FILTERS: readonly ((load: NodeLoad, request: ServiceRequest, slot: number) => Obstacle | undefined)[] = [
  hasVolumes, isBelowMaxPer, hasHostPorts, hasDevices, hasMemory, hasCpu,
];

/** What keeps every task of the service off the node. */
export function nodeObstacle(load: NodeLoad, request: ServiceRequest): Obstacle | undefined {
  return firstOf(NODE_FILTERS, filter => filter(load, request));
}

/** What keeps the task of `slot` off the node now; `nodeObstacle` was asked before. */
export function taskObstacle(load: NodeLoad, request: ServiceRequest, slot: number): Obstacle | undefined {
  return firstOf(TASK_FILTERS, filter => filter(load, request, slot));
}

/** Everything that keeps the task of `slot` off the node: what must change there for it to fit. */
export function allObstacles(load: NodeLoad, request: ServiceRequest, slot: number): readonly Obstacle[] {
  return [...NODE_FILTERS, ...TASK_FILTERS].flatMap(filter => filter(load, request, slot) ?? []);
}

function firstOf<Filter>(filters: readonly Filter[], ask: (filter: Filter) => Obstacle | undefined): Obstacle | undefined {
  for (const filter of filters) {
    const obstacle = ask(filter);
    if (obstacle !== undefined) {
      return obstacle;
    }
  }
  return undefined;
}

function isReady({ node }: NodeLoad): Obstacle | undefined {
  if (node.condition !== 'ready') {
    return { node: node.id, kind: 'node', state: node.condition };
  }
  return node.availability === 'active' ? undefined : { node: node.id, kind: 'node', state: node.availability };
}

function isTolerated({ node }: NodeLoad, { service }: ServiceRequest): Obstacle | undefined {
  const taint = [...node.taints].sort().find(one => !service.spec.placement.tolerate.includes(one));
  return taint === undefined ? undefined : { node: node.id, kind: 'taint', taint };
}

function hasLabels({ node }: NodeLoad, { service }: ServiceRequest): Obstacle | undefined {
  const broken = service.spec.placement.require.find(rule => !matches(rule, node.labels));
  return broken === undefined ? undefined : { node: node.id, kind: 'label', rule: formatPlacementRule(broken) };
}

function hasRuntime({ node }: NodeLoad, { service }: ServiceRequest): Obstacle | undefined {
  const { runtime } = service.spec.container;
  return node.runtimes.includes(runtime) ? undefined : { node: node.id, kind: 'runtime', runtime };
}

/** What the namespace allows a node has to offer too. */
function offersOpenings({ node }: NodeLoad, { service }: ServiceRequest): Obstacle | undefined {
  const containers = [service.spec.container, ...(service.spec.companions ?? []).map(companion => companion.container)];
  if (containers.some(container => container.security.profile === 'privileged') && !node.policy.allowsPrivileged) {
    return { node: node.id, kind: 'privileged' };
  }
  const bind = containers.flatMap(container => container.volumes).find(mount => mount.kind === 'bind' && !isBelowPrefix(mount.hostPath, node.policy.bindPrefixes));
  if (bind?.kind === 'bind') {
    return { node: node.id, kind: 'bind', hostPath: bind.hostPath };
  }
  const device = containers.flatMap(container => container.devices).find(one => !isBelowPrefix(one.hostPath, node.policy.devicePaths));
  return device === undefined ? undefined : { node: node.id, kind: 'device-path', hostPath: device.hostPath };
}

function hasDevices(load: NodeLoad, { service }: ServiceRequest): Obstacle | undefined {
  for (const { name, count } of service.spec.container.deviceRequests) {
    const free = freeDevices(load, name);
    if (count > free) {
      return { node: load.node.id, kind: 'device', device: name, need: count, free };
    }
  }
  return undefined;
}

function hasCpus({ node }: NodeLoad, { service }: ServiceRequest): Obstacle | undefined {
  const { cpuset } = service.spec.container.limits;
  return cpuset === undefined || missingCpu(cpuset, node.cpus) === undefined ? undefined : { node: node.id, kind: 'cpuset', cpuset, cpus: node.cpus };
}

function hasVolumes({ node }: NodeLoad, { service, homes }: ServiceRequest, slot: number): Obstacle | undefined {
  const user = { namespace: service.namespace, volumes: service.volumes, container: service.spec.container };
  for (const volume of volumeKeys(user, slot)) {
    const home = homes.get(volume);
    if (home !== undefined && home !== node.id) {
      return { node: node.id, kind: 'volume', volume, home };
    }
  }
  return undefined;
}

function isBelowMaxPer({ node }: NodeLoad, { service, placed }: ServiceRequest): Obstacle | undefined {
  const full = service.spec.placement.maxPer.find(limit => placed.count(limit.label, node) >= limit.count);
  return full === undefined ? undefined : { node: node.id, kind: 'max-per', label: full.label, count: full.count };
}

function hasHostPorts({ node, hostPorts }: NodeLoad, { service }: ServiceRequest): Obstacle | undefined {
  const port = hostPortsOf(service.spec.container).find(one => hostPorts.has(one));
  return port === undefined ? undefined : { node: node.id, kind: 'host-port', port };
}

function hasMemory(load: NodeLoad, { service }: ServiceRequest): Obstacle | undefined {
  const need = requestsOf(service.spec).memoryBytes;
  const free = freeOf(load).memoryBytes;
  return need <= free ? undefined : { node: load.node.id, kind: 'memory', need, free };
}

function hasCpu(load: NodeLoad, { service }: ServiceRequest): Obstacle | undefined {
  const need = requestsOf(service.spec).milliCpu;
  const free = freeOf(load).milliCpu;
  return need <= free ? undefined : { node: load.node.id, kind: 'cpu', need, free };
}
