/** Where the named volumes of a service lie: data never moves, so tasks go to it. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { containersOf } from '#model/companion.ts';
import type { ContainerSet } from '#model/companion.ts';
import type { NodeId } from '#model/ids.ts';

type VolumeUser = Pick<Service, 'namespace' | 'volumes'> & ContainerSet;

/** Volume key (`NAMESPACE/NAME`, per replica `NAMESPACE/NAME-SLOT`) -> the node that has it. */
export type VolumeHomes = Map<string, NodeId>;

/** Keys of the named volumes that the task of `slot` mounts. */
export function volumeKeys(user: VolumeUser, slot: number): readonly string[] {
  return containersOf(user).flatMap(container => container.volumes).flatMap(mount => {
    if (mount.kind !== 'volume') {
      return [];
    }
    const isPerReplica = user.volumes.some(volume => volume.name === mount.source && volume.perReplica);
    return [`${user.namespace}/${mount.source}${isPerReplica ? `-${String(slot)}` : ''}`];
  });
}

/**
 * The homes of the volumes that `service` uses: the node of the newest task that mounts it, finished ones included.
 * A node that was removed took its volumes with it. Global services have one volume a node, so nothing binds them.
 */
export function volumeHomes(snapshot: ClusterSnapshot, service: Service): VolumeHomes {
  const homes: VolumeHomes = new Map();
  const hasVolumes = containersOf(service.spec).some(container => container.volumes.some(mount => mount.kind === 'volume'));
  if (!hasVolumes || service.spec.kind === 'global') {
    return homes;
  }
  const tasks = [...snapshot.tasks.values()].map(entry => entry.value)
    .filter(task => task.namespace === service.namespace && task.kind !== 'global' && snapshot.nodes.has(task.node))
    .sort((left, right) => left.fence - right.fence || (left.id < right.id ? -1 : 1));
  for (const task of tasks) {
    for (const key of volumeKeys(task, task.slot)) {
      homes.set(key, task.node);
    }
  }
  return homes;
}
