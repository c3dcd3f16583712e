/** Who uses a named volume: the tasks of its node, and the services that mount it. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { containersOf } from '#model/companion.ts';
import { tasksOfNode } from '#model/node-of-task.ts';
import { isFinished } from '#model/task.ts';
import type { Task } from '#model/task.ts';
import { volumeName, volumeNames, volumesOf } from '#model/volume.ts';
import type { Volume } from '#model/volume.ts';

export function mountsVolumes({ spec }: Service): boolean {
  return containersOf(spec).some(container => container.volumes.some(mount => mount.kind === 'volume'));
}

/** Tasks of the volume's node that mount it, ended ones too; in the order of their ids. */
export function tasksWithVolume(snapshot: ClusterSnapshot, volume: Volume): readonly Task[] {
  return tasksOfNode(snapshot, volume.node).map(({ value }) => value).filter(task => volumeNames(task, task.slot).includes(volumeName(volume)));
}

/** Those of them that have not ended. */
export function tasksUsingVolume(snapshot: ClusterSnapshot, volume: Volume): readonly Task[] {
  return tasksWithVolume(snapshot, volume).filter(({ id }) => !isFinished(snapshot.statuses.get(id)?.value.phase ?? 'pending'));
}

/** True for the volumes that one of `services` mounts, as its node calls them; of a `per_replica` one each ordinal's. Services that are being deleted mount nothing. */
export function mountedBy(services: readonly Service[]): (volume: Volume) => boolean {
  const mounted = new Set(services.filter(({ isDeleting }) => !isDeleting).flatMap(({ namespace, spec, volumes }) => volumesOf({ ...spec, namespace, volumes }, 0))
    .map(one => (one.slot === undefined ? volumeName(one) : anyOrdinal(volumeName(one)))));
  return volume => mounted.has(volumeName(volume)) || mounted.has(anyOrdinal(volumeName(volume)));
}

/** No name has a star. */
function anyOrdinal(name: string): string {
  return name.replace(/-\d+$/, '-*');
}
