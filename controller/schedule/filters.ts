/** May a task run on a node? Ordered filters; the first that says no names the obstacle. */
import { formatPlacementRule, matches } from '#model/constraint.ts';
import type { Service } from '#model/app.ts';
import { missingCpu } from '#model/cpuset.ts';
import { missingPageSize } from '#model/hugepages.ts';
import type { NodeId, ServiceId } from '#model/ids.ts';
import { isBelowPrefix } from '#model/namespace.ts';
import type { Node } from '#model/node.ts';
import type { Resources } from '#model/resources.ts';
import { volumeId, volumeNames } from '#model/volume.ts';
import { countUnits, WHOLE } from '#model/device-share.ts';
import type { LabelCounts } from './label-counts.ts';
import type { NodeTable } from './node-table.ts';
import type { QuotaGap } from './quota.ts';
import type { LeavingVolumes, VolumeHomes } from './volume-homes.ts';

/** Why one node is not for one task. */
export type Obstacle = { readonly node: NodeId } & (
  | { readonly kind: 'node'; readonly state: 'cordoned' | 'draining' | 'silent' | 'lost' }
  | { readonly kind: 'taint'; readonly taint: string }
  | { readonly kind: 'label'; readonly rule: string }
  | { readonly kind: 'runtime'; readonly runtime: string }
  | { readonly kind: 'privileged' }
  | { readonly kind: 'deadman' }
  | { readonly kind: 'network'; readonly fault: string }
  | { readonly kind: 'bind' | 'device-path'; readonly hostPath: string }
  | { readonly kind: 'device'; readonly device: string; readonly need: number; readonly free: number; readonly milli?: number }
  | { readonly kind: 'cpuset'; readonly cpuset: string; readonly cpus: string }
  | { readonly kind: 'hugepages'; readonly pageBytes: number; readonly sizes: readonly number[] }
  | { readonly kind: 'volume'; readonly volume: string; readonly home: NodeId }
  | { readonly kind: 'volume-removal'; readonly volume: string }
  | { readonly kind: 'max-per'; readonly label: string; readonly count: number }
  | { readonly kind: 'near' | 'avoid'; readonly service: ServiceId; readonly label: string }
  /** `process`: one of the machine, which is not a task. */
  | { readonly kind: 'host-port'; readonly port: string; readonly user: 'task' | 'process' }
  /** Its agent is of before. */
  | { readonly kind: 'capability'; readonly capability: string; readonly agentVersion: string }
  | { readonly kind: 'address' }
  | { readonly kind: 'reserved'; readonly service: ServiceId; readonly priority: number }
  | { readonly kind: Amount; readonly need: number; readonly free: number }
  | ({ readonly kind: 'quota' } & QuotaGap)
);

/** Resources that are counted; memory and disk in bytes, cpu in thousandths. */
export type Amount = 'memory' | 'cpu' | 'disk' | 'pids';

/** Tasks of another service that this one is to be near, or away from. */
export interface Neighbour {
  readonly kind: 'near' | 'avoid';
  readonly service: ServiceId;
  readonly label: string;
  /** Absent: it must hold. */
  readonly weight?: number;
  readonly counts: LabelCounts;
}

/** What a call knows about the service it places; changes as it places. */
export interface ServiceRequest {
  readonly service: Service;
  /** Of one task, companions included. */
  readonly requests: Resources;
  readonly hostPorts: readonly string[];
  /** What its node's agent must be able to do. */
  readonly capabilities: readonly string[];
  /** It fills nodes up instead of spreading. */
  readonly isPacking: boolean;
  readonly homes: VolumeHomes;
  readonly leaving: LeavingVolumes;
  /** Where the newest task of each slot is or was, unless it failed: its image is there, and whoever plans knows the node. */
  readonly previous: ReadonlyMap<number, NodeId>;
  /** All its tasks that are not finished nor lost. */
  readonly placed: LabelCounts;
  /** Those of them with the current template. */
  readonly current: LabelCounts;
  readonly neighbours: readonly Neighbour[];
  /** How many of its images each row has not; undefined: no row has any, so that none differ. */
  readonly missingImages: Uint8Array | undefined;
  /** Of its containers together. */
  readonly imageCount: number;
}

type NodeFilter = (node: Node, service: Service) => Obstacle | undefined;
type TaskFilter = (table: NodeTable, request: ServiceRequest, row: number, slot: number) => Obstacle | undefined;

/** Filters that say the same for every task of the service, whatever else is placed in the call. */
const NODE_FILTERS: readonly NodeFilter[] = [isReady, hasNetwork, isTolerated, hasLabels, hasRuntime, offersOpenings, hasCpus, limitsHugepages, hasDeadman];
const TASK_FILTERS: readonly TaskFilter[] = [hasCapabilities, hasVolumes, isBelowMaxPer, isNearAndAway, hasHostPorts, hasDevices, hasAddress, hasMemory, hasCpu, hasDisk, hasPids];

/** What keeps every task of the service off the node. */
export function nodeObstacle(node: Node, service: Service): Obstacle | undefined {
  return firstOf(NODE_FILTERS, filter => filter(node, service));
}

/** What keeps the task of `slot` off the node now; `nodeObstacle` was asked before. */
export function taskObstacle(table: NodeTable, request: ServiceRequest, row: number, slot: number): Obstacle | undefined {
  return firstOf(TASK_FILTERS, filter => filter(table, request, row, slot));
}

/** True when memory, cpu and addresses are all that can keep a task off a node that is for the service. */
export function isPlain({ service, hostPorts, capabilities, requests, neighbours, homes, leaving }: ServiceRequest): boolean {
  const { placement, container } = service.spec;
  return placement.maxPer.length + hostPorts.length + capabilities.length + neighbours.length + homes.size + leaving.size + container.deviceRequests.length === 0
    && (requests.diskBytes ?? 0) + (requests.pids ?? 0) === 0;
}

/** Everything that keeps the task of `slot` off the node: what must change there for it to fit. */
export function allObstacles(table: NodeTable, request: ServiceRequest, row: number, slot: number): readonly Obstacle[] {
  return [
    ...NODE_FILTERS.flatMap(filter => filter(table.node(row), request.service) ?? []),
    ...TASK_FILTERS.flatMap(filter => filter(table, request, row, slot) ?? []),
  ];
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

function isReady(node: Node): Obstacle | undefined {
  if (node.condition !== 'ready') {
    return { node: node.id, kind: 'node', state: node.condition };
  }
  return node.availability === 'active' ? undefined : { node: node.id, kind: 'node', state: node.availability };
}

function hasNetwork({ id, networkFault }: Node): Obstacle | undefined {
  return networkFault === '' ? undefined : { node: id, kind: 'network', fault: networkFault };
}

function isTolerated(node: Node, service: Service): Obstacle | undefined {
  const taint = [...node.taints].sort().find(one => !service.spec.placement.tolerate.includes(one));
  return taint === undefined ? undefined : { node: node.id, kind: 'taint', taint };
}

function hasLabels(node: Node, service: Service): Obstacle | undefined {
  const broken = service.spec.placement.require.find(rule => !matches(rule, node.labels));
  return broken === undefined ? undefined : { node: node.id, kind: 'label', rule: formatPlacementRule(broken) };
}

function hasRuntime(node: Node, service: Service): Obstacle | undefined {
  const { runtime } = service.spec.container;
  return node.runtimes.includes(runtime) ? undefined : { node: node.id, kind: 'runtime', runtime };
}

/** What the namespace allows a node has to offer too. */
function offersOpenings(node: Node, service: Service): Obstacle | undefined {
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

function hasDevices(table: NodeTable, { service }: ServiceRequest, row: number): Obstacle | undefined {
  const { deviceRequests } = service.spec.container;
  if (deviceRequests.length === 0) {
    return undefined;
  }
  const shapes = table.shapes(row);
  for (const asked of deviceRequests) {
    const { name, count, milli } = asked;
    if (shapes.find(one => one.name === name)?.shape.take(asked) === undefined) {
      const free = countUnits(table.devices[row]?.get(name) ?? [], milli ?? WHOLE);
      return { node: table.node(row).id, kind: 'device', device: name, need: count, free, ...(milli === undefined ? {} : { milli }) };
    }
  }
  return undefined;
}

function hasCpus(node: Node, service: Service): Obstacle | undefined {
  const { cpuset } = service.spec.container.limits;
  return cpuset === undefined || missingCpu(cpuset, node.cpus) === undefined ? undefined : { node: node.id, kind: 'cpuset', cpuset, cpus: node.cpus };
}

function limitsHugepages({ id, hugepageSizes }: Node, { spec }: Service): Obstacle | undefined {
  const pageBytes = missingPageSize(spec, hugepageSizes);
  return pageBytes === undefined ? undefined : { node: id, kind: 'hugepages', pageBytes, sizes: hugepageSizes?.bytes ?? [] };
}

/** What would stop the task of an exclusive service if its agent did not. */
function hasDeadman(node: Node, { spec }: Service): Obstacle | undefined {
  return spec.onDisconnect.kind === 'exclusive' && !node.hasDeadman ? { node: node.id, kind: 'deadman' } : undefined;
}

function hasVolumes(table: NodeTable, { service, homes, leaving }: ServiceRequest, row: number, slot: number): Obstacle | undefined {
  if (homes.size + leaving.size === 0) {
    return undefined;
  }
  const { id } = table.node(row);
  for (const volume of volumeNames({ ...service.spec, namespace: service.namespace, volumes: service.volumes }, slot)) {
    const home = homes.get(volume);
    if (home !== undefined && home !== id) {
      return { node: id, kind: 'volume', volume, home };
    }
    if (leaving.has(volumeId(volume, id))) {
      return { node: id, kind: 'volume-removal', volume };
    }
  }
  return undefined;
}

function isBelowMaxPer(table: NodeTable, { service, placed }: ServiceRequest, row: number): Obstacle | undefined {
  const full = service.spec.placement.maxPer.find(limit => placed.count(limit.label, row) >= limit.count);
  return full === undefined ? undefined : { node: table.node(row).id, kind: 'max-per', label: full.label, count: full.count };
}

function isNearAndAway(table: NodeTable, { neighbours }: ServiceRequest, row: number): Obstacle | undefined {
  const wrong = neighbours.find(one => one.weight === undefined && (one.counts.count(one.label, row) > 0) !== (one.kind === 'near'));
  return wrong === undefined ? undefined : { node: table.node(row).id, kind: wrong.kind, service: wrong.service, label: wrong.label };
}

/** An agent that does not know a field ignores it: the task would run without that limit. */
function hasCapabilities(table: NodeTable, { capabilities }: ServiceRequest, row: number): Obstacle | undefined {
  if (capabilities.length === 0) {
    return undefined;
  }
  const { id, agentVersion, capabilities: has } = table.node(row);
  const capability = capabilities.find(one => !has.includes(one));
  return capability === undefined ? undefined : { node: id, kind: 'capability', capability, agentVersion };
}

function hasHostPorts(table: NodeTable, { hostPorts }: ServiceRequest, row: number): Obstacle | undefined {
  if (hostPorts.length === 0) {
    return undefined;
  }
  const { id, listeningPorts } = table.node(row);
  const taken = hostPorts.find(one => table.hostPorts[row]?.has(one));
  const port = taken ?? hostPorts.find(one => listeningPorts.includes(one));
  return port === undefined ? undefined : { node: id, kind: 'host-port', port, user: taken === undefined ? 'process' : 'task' };
}

function hasMemory(table: NodeTable, { requests }: ServiceRequest, row: number): Obstacle | undefined {
  return lacks(table, row, { kind: 'memory', need: requests.memoryBytes, free: table.freeMemory[row] ?? 0 });
}

/** Each task has one, whatever network it is on. */
function hasAddress(table: NodeTable, _: ServiceRequest, row: number): Obstacle | undefined {
  return (table.freeAddresses[row] ?? 0) > 0 ? undefined : { node: table.node(row).id, kind: 'address' };
}

function hasCpu(table: NodeTable, { requests }: ServiceRequest, row: number): Obstacle | undefined {
  return lacks(table, row, { kind: 'cpu', need: requests.milliCpu, free: table.freeCpu[row] ?? 0 });
}

function hasDisk(table: NodeTable, { requests }: ServiceRequest, row: number): Obstacle | undefined {
  return lacks(table, row, { kind: 'disk', need: requests.diskBytes ?? 0, free: table.freeDisk[row] ?? 0 });
}

function hasPids(table: NodeTable, { requests }: ServiceRequest, row: number): Obstacle | undefined {
  return lacks(table, row, { kind: 'pids', need: requests.pids ?? 0, free: table.freePids[row] ?? 0 });
}

/** What is not asked for is not missing, however overcommitted the node is. */
function lacks(table: NodeTable, row: number, amount: { readonly kind: Amount; readonly need: number; readonly free: number }): Obstacle | undefined {
  const isMissing = amount.need > amount.free && (amount.need > 0 || amount.kind === 'memory' || amount.kind === 'cpu');
  return isMissing ? { node: table.node(row).id, ...amount } : undefined;
}
