/** The records that say which node has the data of a named volume: made with its first task, kept beyond Service and App. */
import type { App } from '#model/app.ts';
import type { ClusterSnapshot, Versioned } from '#model/cluster-snapshot.ts';
import { isOfEarlierNode, nodeOfTask } from '#model/node-of-task.ts';
import type { Task } from '#model/task.ts';
import { volumeId, volumeName, volumesOf } from '#model/volume.ts';
import type { MountedVolume, Volume } from '#model/volume.ts';
import { mountedBy, tasksWithVolume } from '../schedule/volume-users.ts';
import type { Action, Plan } from './plan.ts';

type Birth = Pick<Extract<Action, { readonly kind: 'create-task' }>, 'task' | 'reason'>;

/** The tasks with the records of their volumes; of tasks that share one the first has it. One that cannot be read is not written over. */
export function createActions(snapshot: ClusterSnapshot, births: readonly Birth[]): readonly Action[] {
  const written = new Set<string>();
  return births.map(({ task, reason }): Action => {
    const named = volumesOf(task, task.slot).map(mounted => ({ mounted, id: volumeId(volumeName(mounted), task.node) })).filter(({ id }) => !written.has(id) && !snapshot.unreadableVolumes.has(id));
    const volumes = named.map(({ mounted, id }) => usedVolume(recordOf(snapshot, id), task, mounted));
    named.forEach(({ id }) => written.add(id));
    return { kind: 'create-task', task, reason, ...(volumes.length === 0 ? {} : { volumes }) };
  });
}

/**
 * What the records lack, or have too much: those of tasks that a controller of version 0.1 placed, of nodes that were removed, of data that is gone once no
 * task tells of it any more, and since when no service has a volume.
 */
export function planVolumes(snapshot: ClusterSnapshot, nowMs: number): Plan {
  const adopted = adoptedVolumes(snapshot);
  const isMounted = mountedBy([...snapshot.services.values()].map(entry => entry.value));
  const kept = [...snapshot.volumes].filter(([id]) => !adopted.has(id)).sort(([left], [right]) => (left < right ? -1 : 1));
  return {
    actions: [
      ...[...adopted].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, volume]): Action => ({ kind: 'put-volume', volume, reason: 'found' })),
      ...kept.flatMap(([, { value }]) => keepVolume(snapshot, value, { isMounted: isMounted(value), nowMs })),
    ],
    events: [],
  };
}

/**
 * The volumes of an App that is deleted with them, but for what other Apps' services mount, and for data of tasks that came after the deletion: a backup brought that back, and
 * a node told that its data is newer. A fence is the etcd revision of its task.
 */
export function givenUpVolumes(snapshot: ClusterSnapshot, { value: { namespace, name }, modRevision }: Versioned<App>): readonly Action[] {
  const isOthers = mountedBy([...snapshot.services.values()].map(entry => entry.value).filter(service => service.namespace === namespace && service.app !== name));
  return [...snapshot.volumes].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, { value }]) => value)
    .filter(volume => volume.namespace === namespace && volume.app === name && volume.state === 'present' && volume.fence <= modRevision && !isOthers(volume))
    .map(volume => ({ kind: 'put-volume', volume: { ...volume, state: 'removing' }, reason: 'app-deleted' }));
}

/** None of a node that had the name before: its data went with it. */
function recordOf(snapshot: ClusterSnapshot, id: string): Volume | undefined {
  const known = snapshot.volumes.get(id)?.value;
  return known === undefined || isOfEarlierNode(snapshot, known) ? undefined : known;
}

/** The record as the task leaves it that is placed with the volume. Data that is being removed has no such task, but where version 0.1 led meanwhile: then it is in use again. */
function usedVolume(known: Volume | undefined, task: Task, mounted: MountedVolume): Volume {
  const { unusedSinceMs: _, slot: __, ...rest } = known?.state === 'present' ? known : newVolume(task, mounted);
  return { ...rest, ...mounted, app: task.app, service: task.service, fence: Math.max(rest.fence, task.fence), isPerNode: rest.isPerNode && task.kind === 'global' };
}

function newVolume(task: Task, mounted: MountedVolume): Volume {
  const { node, app, service, fence, createdAtMs } = task;
  return { ...mounted, node, app, service, fence, createdAtMs, isPerNode: true, state: 'present' };
}

/** Of tasks that are newer than the records of their volumes; by id. */
function adoptedVolumes(snapshot: ClusterSnapshot): ReadonlyMap<string, Volume> {
  const adopted = new Map<string, Volume>();
  const tasks = [...snapshot.tasks.values()].flatMap(({ value }) => (value.volumes.length > 0 && nodeOfTask(snapshot, value) !== undefined ? [value] : []))
    .sort((left, right) => left.fence - right.fence || (left.id < right.id ? -1 : 1));
  for (const task of tasks) {
    for (const mounted of volumesOf(task, task.slot)) {
      const id = volumeId(volumeName(mounted), task.node);
      const known = adopted.get(id) ?? recordOf(snapshot, id);
      if (!snapshot.unreadableVolumes.has(id) && (known === undefined || known.fence < task.fence)) {
        adopted.set(id, usedVolume(known, task, mounted));
      }
    }
  }
  return adopted;
}

function keepVolume(snapshot: ClusterSnapshot, volume: Volume, { isMounted, nowMs }: { readonly isMounted: boolean; readonly nowMs: number }): readonly Action[] {
  const { nodes, unreadableNodes } = snapshot;
  if (!nodes.has(volume.node) || isOfEarlierNode(snapshot, volume)) {
    return unreadableNodes.has(volume.node) ? [] : [{ kind: 'remove-volume', volume, reason: 'node-removed' }];
  }
  if (volume.state === 'removed' && !isTold(snapshot, volume)) {
    return [{ kind: 'remove-volume', volume, reason: 'data-removed' }];
  }
  if (isMounted === (volume.unusedSinceMs === undefined)) {
    return [];
  }
  const { unusedSinceMs: _, ...rest } = volume;
  return [{ kind: 'put-volume', volume: isMounted ? rest : { ...rest, unusedSinceMs: nowMs }, reason: isMounted ? 'used' : 'unused' }];
}

/** A task there that used the volume before its data went is still remembered. */
function isTold(snapshot: ClusterSnapshot, volume: Volume): boolean {
  return tasksWithVolume(snapshot, volume).some(task => task.fence <= volume.fence);
}
