/** Which reconcile keys a change of the cluster concerns. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { AppId, NodeId, ServiceId } from '#model/ids.ts';
import { mountsVolumes } from '../schedule/volume-users.ts';
import { appOfService } from '../store/keys.ts';
import type { ClusterChange } from '../store/snapshot.ts';

export type ReconcileKey = 'nodes' | 'volumes' | `service/${ServiceId}` | `app/${AppId}`;

export const serviceKey = (id: ServiceId): ReconcileKey => `service/${id}`;
export const appKey = (id: AppId): ReconcileKey => `app/${id}`;

/** Everything there is to look at. All lists are in the order of ids: services that compete for room are placed in the same order, whoever looks. */
export function allKeys(snapshot: ClusterSnapshot): readonly ReconcileKey[] {
  return ['nodes', 'volumes', ...[...snapshot.services.keys()].sort().map(serviceKey), ...[...snapshot.apps.keys()].sort().map(appKey)];
}

/**
 * Keys to look at after `change`: the services that it touched with their Apps, the services that wait for them and the crons that they may be runs of; all services of
 * a touched App; and for a node that came, went or changed, the services with tasks on it and those that may want one there.
 */
export function affectedKeys(change: ClusterChange, snapshot: ClusterSnapshot): ReadonlySet<ReconcileKey> {
  const keys = new Set<ReconcileKey>();
  for (const id of [...change.services].sort()) {
    keys.add(serviceKey(id));
    keys.add(appKey(appOfService(id)));
  }
  for (const id of [...change.apps].sort()) {
    keys.add(appKey(id));
  }
  if (change.services.size + change.apps.size > 0) {
    addRelatives(keys, change, snapshot);
  }
  if (change.kinds.has('node')) {
    addForNodes(keys, change.nodes, snapshot);
  }
  if (change.kinds.has('node') || change.kinds.has('session') || change.kinds.has('controller')) {
    keys.add('nodes');
  }
  return keys;
}

/**
 * True for what the records of volumes may follow from: nothing while there are none, since a task brings those of its own, nor what becomes of tasks of a service without volumes. What
 * another version left is found when a term begins.
 */
export function touchesVolumes({ kinds, services }: ClusterChange, snapshot: ClusterSnapshot): boolean {
  if (snapshot.volumes.size === 0) {
    return false;
  }
  return kinds.has('service') || kinds.has('node') || kinds.has('volume') || (kinds.has('task') && [...services].some(id => {
    const service = snapshot.services.get(id)?.value;
    return service === undefined || mountsVolumes(service);
  }));
}

/** Services with slots that fit nowhere: to look at again when something ended somewhere. */
export function waitingServices(snapshot: ClusterSnapshot): readonly ReconcileKey[] {
  return [...snapshot.serviceStatuses.values()].flatMap(({ value }) => (value.pending.length > 0 ? [serviceKey(value.id)] : [])).sort();
}

function addRelatives(keys: Set<ReconcileKey>, change: ClusterChange, snapshot: ClusterSnapshot): void {
  const touchedApps = new Set([...change.services].map(appOfService));
  for (const service of servicesById(snapshot)) {
    const app = appOfService(service.id);
    if (change.apps.has(app) || (isRelated(service) && touchedApps.has(app))) {
      keys.add(serviceKey(service.id));
    }
  }
}

function isRelated({ spec, isDeleting }: Service): boolean {
  return spec.dependsOn.length > 0 || spec.kind === 'cron' || isDeleting;
}

function addForNodes(keys: Set<ReconcileKey>, nodes: ReadonlySet<NodeId>, snapshot: ClusterSnapshot): void {
  const onNodes = new Set<ReconcileKey>();
  for (const node of nodes) {
    for (const id of snapshot.tasksOnNode.get(node) ?? []) {
      const task = snapshot.tasks.get(id)?.value;
      if (task !== undefined) {
        onNodes.add(serviceKey(task.serviceId));
      }
    }
  }
  [...onNodes].sort().forEach(key => keys.add(key));
  for (const service of servicesById(snapshot)) {
    if (service.spec.kind === 'global') {
      keys.add(serviceKey(service.id));
    }
  }
  waitingServices(snapshot).forEach(key => keys.add(key));
}

function servicesById(snapshot: ClusterSnapshot): readonly Service[] {
  return [...snapshot.services.values()].map(entry => entry.value).sort((left, right) => (left.id < right.id ? -1 : 1));
}
