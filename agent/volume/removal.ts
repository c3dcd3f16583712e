/**
 * Decides which data of volumes may be deleted: volumes that the controllers gave up and that no
 * task of the node uses.
 */
import type { TaskId } from '#model/ids.ts';
import type { Heartbeat } from '#model/session.ts';
import type { Task } from '#model/task.ts';
import { volumeNames } from '#model/volume.ts';
import type { VolumeUse } from '#model/volume.ts';
import type { DesiredSet } from '../assignment.ts';
import type { TaskRecord } from '../task/record.ts';

/** Results of removals, in the order of the assignment: the data is deleted, or stays. */
export type VolumeAnswers = Pick<Heartbeat, 'removedVolumes' | 'keptVolumes'>;

export const NO_ANSWERS: VolumeAnswers = { removedVolumes: [], keptVolumes: [] };

/**
 * Keeps the `answers` that still hold for the free removals: none of a volume that a task uses
 * again, and no "kept" of one that was given up since.
 */
export function answersLeft({ removedVolumes, keptVolumes }: VolumeAnswers, free: readonly VolumeUse[]): VolumeAnswers {
  return {
    removedVolumes: removedVolumes.filter(volume => free.some(({ name }) => name === volume)),
    keptVolumes: keptVolumes.filter(volume => free.some(({ name, fence }) => name === volume.name && fence < volume.fence)),
  };
}

/**
 * Returns the free ones of `volumeRemovals`, in order. A task without a record is about to start.
 */
export function freeRemovals({ tasks, volumeRemovals }: Pick<DesiredSet, 'tasks' | 'volumeRemovals'>, records: readonly TaskRecord[]): readonly VolumeUse[] {
  if (volumeRemovals.length === 0) {
    return [];
  }
  const finished = new Set<TaskId>(records.filter(record => record.step === 'finished').map(record => record.task.id));
  const users: readonly Task[] = [...records.map(record => record.task), ...tasks.values()].filter(task => !finished.has(task.id));
  const inUse = new Set(users.flatMap(task => volumeNames(task, task.slot)));
  return volumeRemovals.filter(({ name }) => !inUse.has(name));
}
