/** Where the named volumes of a service lie: data never moves, so tasks go to it. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId } from '#model/ids.ts';
import { isOfEarlierNode, nodeOfTask } from '#model/node-of-task.ts';
import type { Task } from '#model/task.ts';
import { splitVolumeId, volumeId, volumeName, volumeNames } from '#model/volume.ts';
import { mountsVolumes } from './volume-users.ts';

/** `volumeName` -> the node that has the data. */
export type VolumeHomes = Map<string, NodeId>;

/** `volumeId` of those whose node has old data to delete first. */
export type LeavingVolumes = ReadonlySet<string>;

/** A node with data of a volume; the newest is its home. */
interface Claim {
  readonly volume: string;
  readonly node: NodeId;
  readonly fence: number;
  /** Of equals the last in this order. */
  readonly order: string;
}

const NONE_LEAVING: LeavingVolumes = new Set();

/**
 * The homes of the volumes that `service` uses: by their records, and by tasks that are newer than these (which a controller of version 0.1 placed, that writes none), finished
 * ones included. A node that was removed took its volumes with it. Global services have one volume a node, so nothing binds them.
 */
export function volumeHomes(snapshot: ClusterSnapshot, service: Service): VolumeHomes {
  if (service.spec.kind === 'global' || !mountsVolumes(service)) {
    return new Map();
  }
  const claims = [...recordClaims(snapshot, service.namespace), ...taskClaims(snapshot, service.namespace)]
    .filter(({ node }) => snapshot.nodes.has(node))
    .sort((left, right) => left.fence - right.fence || (left.order < right.order ? -1 : 1));
  return new Map(claims.map(({ volume, node }) => [volume, node]));
}

export function leavingVolumes({ volumes }: ClusterSnapshot, service: Service): LeavingVolumes {
  if (volumes.size === 0 || !mountsVolumes(service)) {
    return NONE_LEAVING;
  }
  return new Set([...volumes].filter(([, { value }]) => value.state === 'removing' && value.namespace === service.namespace).map(([id]) => id));
}

/** An ended task whose volume was given up on its node since says nothing of where data is. */
export function isDataGone({ volumes }: ClusterSnapshot, task: Task, volume: string): boolean {
  const record = volumes.get(volumeId(volume, task.node))?.value;
  return record !== undefined && record.state !== 'present' && task.fence <= record.fence;
}

/** A record that cannot be read says by its key alone where data is: older than all that can. */
function recordClaims(snapshot: ClusterSnapshot, namespace: string): readonly Claim[] {
  const { volumes, unreadableVolumes } = snapshot;
  const unreadable = [...unreadableVolumes].filter(id => id.startsWith(`${namespace}/`)).map(id => ({ id, ...splitVolumeId(id) }));
  const present = [...volumes].filter(([, { value }]) => value.namespace === namespace && value.state === 'present' && !value.isPerNode && !isOfEarlierNode(snapshot, value));
  return [
    ...unreadable.map(({ id, name, node }): Claim => ({ volume: name, node, fence: 0, order: id })),
    ...present.map(([id, { value }]): Claim => ({ volume: volumeName(value), node: value.node, fence: value.fence, order: id })),
  ];
}

function taskClaims(snapshot: ClusterSnapshot, namespace: string): readonly Claim[] {
  return [...snapshot.tasks.values()].map(entry => entry.value).filter(task => task.namespace === namespace && task.kind !== 'global')
    .filter(task => task.volumes.length > 0 && nodeOfTask(snapshot, task) !== undefined).flatMap(task => volumeNames(task, task.slot).filter(volume => !isDataGone(snapshot, task, volume)).map((volume): Claim => ({ volume, node: task.node, fence: task.fence, order: task.id })));
}
