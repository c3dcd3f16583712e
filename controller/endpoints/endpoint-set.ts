/** Who serves what: the healthy tasks of every service, and where the nodes are. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Endpoint, EndpointSet, PeerNode, ServiceEndpoints } from '#model/endpoints.ts';
import { serviceId } from '#model/ids.ts';
import type { ServiceId, TaskId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { nodeOfTask } from '#model/node-of-task.ts';
import type { PublishedPort } from '#model/service.ts';
import { isServing } from '#model/task.ts';
import { runsOf } from '../reconcile/cron-run.ts';
import { isMassAway } from '../reconcile/mass-breaker.ts';
import type { ClusterChange } from '../store/snapshot.ts';

/**
 * The endpoints at the snapshot's revision: tasks that are wanted and serve. A task that is to stop or to pause
 * is out at once, so that no request finds it when its signal comes. Each service is there, also without any endpoint; what the runs of a cron
 * serve is the cron's.
 *
 * An endpoint of a node that is not heard is not healthy: a lost node has no healthy one, a silent node has one only
 * 1. where no node that is heard serves the service, or 2. while so many nodes are silent that it is more likely our network.
 */
export function endpointSet(snapshot: ClusterSnapshot): EndpointSet {
  const whole = wholeOf(snapshot);
  return {
    generation: snapshot.etcdRevision,
    services: [...snapshot.services.values()].map(entry => entry.value).filter(service => service.cronRun === undefined)
      .map(service => serviceEndpoints(snapshot, service, whole)).sort(byId),
    nodes: [...snapshot.nodes.values()].map(({ value }): PeerNode => ({ id: value.id, subnetIndex: value.subnetIndex, address: value.address })).sort(byId),
  };
}

/**
 * The set after `change`: equal to a new one of its revision, with the services that were not touched taken from `before` as they are. A change of a node,
 * of the mass breaker or of a service's own record (its ports may be another's now) makes all of them anew. The snapshot may be newer already: what that brought of the
 * services that were not touched is told with the next change, and is no part of this generation.
 */
export function nextEndpointSet(before: EndpointSet, snapshot: ClusterSnapshot, change: Pick<ClusterChange, 'etcdRevision' | 'kinds' | 'services'>): EndpointSet {
  const isBehind = change.etcdRevision < before.generation; // made of a newer snapshot, or of a store that went back
  if (before.generation === 0 || isBehind || MAKES_ALL_ANEW.some(kind => change.kinds.has(kind))) {
    return endpointSet(snapshot);
  }
  const generation = change.etcdRevision;
  if (change.services.size === 0) {
    return { ...before, generation };
  }
  const whole = wholeOf(snapshot);
  const touched = new Set([...change.services].map(id => ownerOf(snapshot, id)));
  const services = before.services.map(known => {
    const service = touched.has(known.id) ? snapshot.services.get(known.id)?.value : undefined;
    return service === undefined ? known : serviceEndpoints(snapshot, service, whole);
  });
  return { ...before, generation, services };
}

const MAKES_ALL_ANEW = ['service', 'node', 'mass-breaker'] as const;

/** The service whose endpoints these are: what a run serves is its cron's. */
function ownerOf(snapshot: ClusterSnapshot, id: ServiceId): ServiceId {
  const service = snapshot.services.get(id)?.value;
  return service?.cronRun === undefined ? id : serviceId(service.namespace, service.app, service.cronRun.cron);
}

/** What follows from the whole cluster, looked for once it is asked for: most services publish no port, and most nodes are heard. */
interface Whole {
  readonly owners: () => ReadonlyMap<string, ServiceId>;
  readonly isMassAway: () => boolean;
}

function wholeOf(snapshot: ClusterSnapshot): Whole {
  let owners: ReadonlyMap<string, ServiceId> | undefined;
  let isMass: boolean | undefined;
  return { owners: () => owners ??= ingressOwners(snapshot), isMassAway: () => isMass ??= isMassAway(snapshot) };
}

/**
 * Service of each ingress port. Of two that publish it (one is being deleted, or came back by a rollback) one has it: a service that stays
 * before one that goes, then the older record.
 */
function ingressOwners(snapshot: ClusterSnapshot): ReadonlyMap<string, ServiceId> {
  const inOrder = [...snapshot.services.values()].sort((left, right) =>
    Number(left.value.isDeleting) - Number(right.value.isDeleting) || left.createRevision - right.createRevision || (left.value.id < right.value.id ? -1 : 1));
  const owners = new Map<string, ServiceId>();
  for (const { value } of inOrder) {
    for (const port of value.cronRun !== undefined ? [] : value.spec.container.ports.filter(one => one.mode === 'ingress' && one.published !== undefined)) {
      owners.set(portKey(port), owners.get(portKey(port)) ?? value.id);
    }
  }
  return owners;
}

function portKey(port: PublishedPort): string {
  return `${String(port.published)}/${port.protocol}`;
}

/** The port as it is in force: not published where another service has it. */
function portInForce(port: PublishedPort, service: ServiceId, owners: Whole['owners']): PublishedPort {
  const owner = port.published === undefined ? undefined : owners().get(portKey(port));
  if (owner === undefined || owner === service) {
    return port;
  }
  const { published: _, ...inner } = port;
  return { ...inner, mode: 'ingress' };
}

function serviceEndpoints(snapshot: ClusterSnapshot, service: Service, whole: Whole): ServiceEndpoints {
  const runs = service.spec.kind === 'cron' ? runsOf(snapshot, service) : [];
  const candidates = [service, ...runs].flatMap(({ id }) => activeTasks(snapshot, id)).flatMap(id => candidateOf(snapshot, id));
  return {
    id: service.id, namespace: service.namespace, app: service.app, service: service.name, kind: service.spec.kind,
    virtualIp: service.virtualIp, ports: service.spec.container.ports.map(port => portInForce(port, service.id, whole.owners)),
    endpoints: withHealth(candidates, whole).sort((left, right) => (left.task < right.task ? -1 : 1)),
  };
}

/** A task that serves, as far as its agent was heard. */
interface Candidate {
  readonly endpoint: Omit<Endpoint, 'isHealthy'>;
  readonly condition: Node['condition'];
}

function withHealth(candidates: readonly Candidate[], { isMassAway: isMass }: Whole): Endpoint[] {
  const isAnyHeard = candidates.some(({ condition }) => condition === 'ready');
  const isSilenceTrusted = isAnyHeard && candidates.some(({ condition }) => condition === 'silent') && !isMass();
  return candidates.map(({ endpoint, condition }) => ({ ...endpoint, isHealthy: condition === 'ready' || (condition === 'silent' && !isSilenceTrusted) }));
}

/** Of a blue_green service with tasks of two templates those that the requests are for, as long as one of them serves. */
function activeTasks(snapshot: ClusterSnapshot, service: ServiceId): readonly TaskId[] {
  const all = [...(snapshot.tasksOfService.get(service) ?? [])];
  const template = snapshot.serviceStatuses.get(service)?.value.rollout.activeTemplate;
  const active = all.filter(id => snapshot.tasks.get(id)?.value.templateHash === template);
  return template !== undefined && active.some(id => candidateOf(snapshot, id).some(({ condition }) => condition !== 'lost')) ? active : all;
}

function candidateOf(snapshot: ClusterSnapshot, id: TaskId): readonly Candidate[] {
  const task = snapshot.tasks.get(id)?.value;
  const status = snapshot.statuses.get(id)?.value;
  if (task?.desired !== 'run' || task.isPaused || status?.address === undefined || !isServing(status)) {
    return [];
  }
  const node = nodeOfTask(snapshot, task);
  return node === undefined ? [] : [{ endpoint: { task: task.id, node: task.node, address: status.address, slot: task.slot }, condition: node.condition }];
}

function byId(left: { readonly id: string }, right: { readonly id: string }): number {
  return left.id < right.id ? -1 : 1;
}
