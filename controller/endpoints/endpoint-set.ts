/** Who serves what: the healthy tasks of every service, and where the nodes are. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Endpoint, EndpointSet, PeerNode, ServiceEndpoints } from '#model/endpoints.ts';
import { serviceId } from '#model/ids.ts';
import type { ServiceId, TaskId } from '#model/ids.ts';
import type { PublishedPort } from '#model/service.ts';
import { isServing } from '#model/task.ts';
import { runsOf } from '../reconcile/cron-run.ts';
import type { ClusterChange } from '../store/snapshot.ts';

/**
 * The endpoints at the snapshot's revision: tasks that are wanted, serve, and are not on a lost node. A task that is to stop or to pause
 * is out at once, so that no request finds it when its signal comes. Each service is there, also without any endpoint; what the runs of a cron
 * serve is the cron's.
 */
export function endpointSet(snapshot: ClusterSnapshot): EndpointSet {
  const owners = ingressOwners(snapshot);
  return {
    generation: snapshot.etcdRevision,
    services: [...snapshot.services.values()].map(entry => entry.value).filter(service => service.cronRun === undefined)
      .map(service => serviceEndpoints(snapshot, service, owners)).sort(byId),
    nodes: [...snapshot.nodes.values()].map(({ value }): PeerNode => ({ id: value.id, subnetIndex: value.subnetIndex, address: value.address })).sort(byId),
  };
}

/**
 * The set after `change`: equal to a new one of its revision, with the services that were not touched taken from `before` as they are. A change of a node
 * or of a service's own record (its ports may be another's now) makes all of them anew. The snapshot may be newer already: what that brought of the
 * services that were not touched is told with the next change, and is no part of this generation.
 */
export function nextEndpointSet(before: EndpointSet, snapshot: ClusterSnapshot, change: Pick<ClusterChange, 'etcdRevision' | 'kinds' | 'services'>): EndpointSet {
  const isBehind = change.etcdRevision < before.generation; // made of a newer snapshot, or of a store that went back
  if (before.generation === 0 || isBehind || change.kinds.has('service') || change.kinds.has('node')) {
    return endpointSet(snapshot);
  }
  const generation = change.etcdRevision;
  if (change.services.size === 0) {
    return { ...before, generation };
  }
  const owners = ingressOwners(snapshot);
  const touched = new Set([...change.services].map(id => ownerOf(snapshot, id)));
  const services = before.services.map(known => {
    const service = touched.has(known.id) ? snapshot.services.get(known.id)?.value : undefined;
    return service === undefined ? known : serviceEndpoints(snapshot, service, owners);
  });
  return { ...before, generation, services };
}

/** The service whose endpoints these are: what a run serves is its cron's. */
function ownerOf(snapshot: ClusterSnapshot, id: ServiceId): ServiceId {
  const service = snapshot.services.get(id)?.value;
  return service?.cronRun === undefined ? id : serviceId(service.namespace, service.app, service.cronRun.cron);
}

type Owners = () => ReadonlyMap<string, ServiceId>;

/**
 * Service of each ingress port, once it is asked for: most services publish none. Of two that publish it (one is being deleted, or came back by a rollback) one has it: a service that stays
 * before one that goes, then the older record.
 */
function ingressOwners(snapshot: ClusterSnapshot): Owners {
  let owners: ReadonlyMap<string, ServiceId> | undefined;
  return () => owners ??= newOwners(snapshot);
}

function newOwners(snapshot: ClusterSnapshot): ReadonlyMap<string, ServiceId> {
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
function portInForce(port: PublishedPort, service: ServiceId, owners: Owners): PublishedPort {
  const owner = port.published === undefined ? undefined : owners().get(portKey(port));
  if (owner === undefined || owner === service) {
    return port;
  }
  const { published: _, ...inner } = port;
  return { ...inner, mode: 'ingress' };
}

function serviceEndpoints(snapshot: ClusterSnapshot, service: Service, owners: Owners): ServiceEndpoints {
  const runs = service.spec.kind === 'cron' ? runsOf(snapshot, service) : [];
  const endpoints = [service, ...runs].flatMap(({ id }) => activeTasks(snapshot, id)).flatMap(id => endpointOf(snapshot, id));
  return {
    id: service.id, namespace: service.namespace, app: service.app, service: service.name, kind: service.spec.kind,
    virtualIp: service.virtualIp, ports: service.spec.container.ports.map(port => portInForce(port, service.id, owners)),
    endpoints: endpoints.sort((left, right) => (left.task < right.task ? -1 : 1)),
  };
}

/** Of a blue_green service with tasks of two templates those that the requests are for, as long as one of them serves. */
function activeTasks(snapshot: ClusterSnapshot, service: ServiceId): readonly TaskId[] {
  const all = [...(snapshot.tasksOfService.get(service) ?? [])];
  const template = snapshot.serviceStatuses.get(service)?.value.rollout.activeTemplate;
  const active = all.filter(id => snapshot.tasks.get(id)?.value.templateHash === template);
  return template !== undefined && active.some(id => endpointOf(snapshot, id).length > 0) ? active : all;
}

function endpointOf(snapshot: ClusterSnapshot, id: TaskId): readonly Endpoint[] {
  const task = snapshot.tasks.get(id)?.value;
  const status = snapshot.statuses.get(id)?.value;
  if (task?.desired !== 'run' || task.isPaused || status?.address === undefined || !isServing(status)) {
    return [];
  }
  const node = snapshot.nodes.get(task.node)?.value;
  if (node === undefined || node.condition === 'lost') {
    return [];
  }
  return [{ task: task.id, node: task.node, address: status.address, slot: task.slot, isHealthy: true }];
}

function byId(left: { readonly id: string }, right: { readonly id: string }): number {
  return left.id < right.id ? -1 : 1;
}
