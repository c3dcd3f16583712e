/** The records that say which node has the data of a named volume: made with its first task, kept beyond Service and App. */
import type { App } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { containersOf } from '#model/companion.ts';
import type { Task } from '#model/task.ts';
import { volumeId, volumeName, volumeNames, volumesOf } from '#model/volume.ts';
import type { MountedVolume, Volume } from '#model/volume.ts';
import type { Action, Plan } from './plan.ts';

type Birth = Pick<Extract<Action, { readonly kind: 'create-task' }>, 'task' | 'reason'>;

/** The tasks with the records of their volumes; of tasks that share one the first has it. */
export function createActions(snapshot: ClusterSnapshot, births: readonly Birth[]): readonly Action[] {
  const written = new Set<string>();
  return births.map(({ task, reason }): Action => {
    const volumes = volumesOf(task, task.slot).map(mounted => usedVolume(snapshot.volumes.get(volumeId(volumeName(mounted), task.node))?.value, task, mounted)).filter(volume => !written.has(idOf(volume)));
    volumes.forEach(volume => written.add(idOf(volume)));
    return { kind: 'create-task', task, reason, ...(volumes.length === 0 ? {} : { volumes }) };
  });
}

/**
 * What the records lack, or have too much: those of tasks that a controller of version 0.1 placed, of nodes that were removed, of data that is gone once no
 * task tells of it any more, and since when no service has a volume.
 */
export function planVolumes(snapshot: ClusterSnapshot, nowMs: number): Plan {
  const adopted = adoptedVolumes(snapshot);
  const mounted = mountedNames(snapshot);
  const kept = [...snapshot.volumes].filter(([id]) => !adopted.has(id)).sort(([left], [right]) => (left < right ? -1 : 1));
  return {
    actions: [
      ...[...adopted].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, volume]): Action => ({ kind: 'put-volume', volume, reason: 'found' })),
      ...kept.flatMap(([, { value }]) => keepVolume(snapshot, value, { isMounted: mounted.has(`${value.namespace}/${value.name}`), nowMs })),
    ],
    events: [],
  };
}

/** The volumes of an App that is deleted with them, but for what other Apps' services mount. */
export function givenUpVolumes(snapshot: ClusterSnapshot, { namespace, name }: App): readonly Action[] {
  const others = mountedNames(snapshot, name);
  return [...snapshot.volumes].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, { value }]) => value)
    .filter(volume => volume.namespace === namespace && volume.app === name && volume.state === 'present' && !others.has(`${namespace}/${volume.name}`))
    .map(volume => ({ kind: 'put-volume', volume: { ...volume, state: 'removing' }, reason: 'app-deleted' }));
}

function idOf(volume: Volume): string {
  return volumeId(volumeName(volume), volume.node);
}

/** The record as the task leaves it that is placed with the volume. */
function usedVolume(known: Volume | undefined, task: Task, mounted: MountedVolume): Volume {
  const { unusedSinceMs: _, ...rest } = known?.state === 'removed' || known === undefined ? newVolume(task, mounted) : known;
  return { ...rest, app: task.app, service: task.service, fence: Math.max(rest.fence, task.fence), isPerNode: rest.isPerNode && task.kind === 'global' };
}

function newVolume(task: Task, mounted: MountedVolume): Volume {
  const { node, app, service, fence, createdAtMs } = task;
  return { ...mounted, node, app, service, fence, createdAtMs, isPerNode: true, state: 'present' };
}

/** Of tasks that are newer than the records of their volumes; by id. */
function adoptedVolumes(snapshot: ClusterSnapshot): ReadonlyMap<string, Volume> {
  const adopted = new Map<string, Volume>();
  const tasks = [...snapshot.tasks.values()].map(entry => entry.value).filter(task => task.volumes.length > 0 && snapshot.nodes.has(task.node))
    .sort((left, right) => left.fence - right.fence || (left.id < right.id ? -1 : 1));
  for (const task of tasks) {
    for (const mounted of volumesOf(task, task.slot)) {
      const id = volumeId(volumeName(mounted), task.node);
      const known = adopted.get(id) ?? snapshot.volumes.get(id)?.value;
      if (!snapshot.unreadableVolumes.has(id) && (known === undefined || known.fence < task.fence)) {
        adopted.set(id, usedVolume(known, task, mounted));
      }
    }
  }
  return adopted;
}

function keepVolume(snapshot: ClusterSnapshot, volume: Volume, { isMounted, nowMs }: { readonly isMounted: boolean; readonly nowMs: number }): readonly Action[] {
  const { nodes, unreadableNodes } = snapshot;
  if (!nodes.has(volume.node)) {
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
function isTold({ tasks, tasksOnNode }: ClusterSnapshot, volume: Volume): boolean {
  return [...tasksOnNode.get(volume.node) ?? []].some(id => {
    const task = tasks.get(id)?.value;
    return task !== undefined && task.fence <= volume.fence && volumeNames(task, task.slot).includes(volumeName(volume));
  });
}

/** `NAMESPACE/NAME` as declared, of all volumes that services mount which are not being deleted. @param but  an App that does not count */
function mountedNames({ services }: ClusterSnapshot, but?: string): ReadonlySet<string> {
  const users = [...services.values()].map(entry => entry.value).filter(({ isDeleting, app }) => !isDeleting && app !== but);
  return new Set(users.flatMap(({ namespace, spec }) => containersOf(spec).flatMap(container => container.volumes.flatMap(mount => (mount.kind === 'volume' ? [`${namespace}/${mount.source}`] : [])))));
}
