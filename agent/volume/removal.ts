/** Which volumes' data may be deleted: those that the controllers gave up and no task of the node uses any more. */
import type { TaskId } from '#model/ids.ts';
import type { Heartbeat } from '#model/session.ts';
import type { Task } from '#model/task.ts';
import { volumeNames } from '#model/volume.ts';
import type { VolumeUse } from '#model/volume.ts';
import type { DesiredSet } from '../assignment.ts';
import type { TaskRecord } from '../task/record.ts';

/** What became of removals, in the order of the assignment: the data is gone, or stays. */
export type VolumeAnswers = Pick<Heartbeat, 'removedVolumes' | 'keptVolumes'>;

export const NO_ANSWERS: VolumeAnswers = { removedVolumes: [], keptVolumes: [] };

/** What holds on of `answers` for the removals that are free now: not of what a task uses again, nor that data stays that was given up since. */
export function answersLeft({ removedVolumes, keptVolumes }: VolumeAnswers, free: readonly VolumeUse[]): VolumeAnswers {
  return {
    removedVolumes: removedVolumes.filter(volume => free.some(({ name }) => name === volume)),
    keptVolumes: keptVolumes.filter(volume => free.some(({ name, fence }) => name === volume.name && fence < volume.fence)),
  };
}

/** Of the set's `volumeRemovals` those that are free, in their order. A task that has no record yet is about to start. */
export function freeRemovals({ tasks, volumeRemovals }: Pick<DesiredSet, 'tasks' | 'volumeRemovals'>, records: readonly TaskRecord[]): readonly VolumeUse[] {
  if (volumeRemovals.length === 0) {
    return [];
  }
  const finished = new Set<TaskId>(records.filter(record => record.step === 'finished').map(record => record.task.id));
  const users: readonly Task[] = [...records.map(record => record.task), ...tasks.values()].filter(task => !finished.has(task.id));
  const inUse = new Set(users.flatMap(task => volumeNames(task, task.slot)));
  return volumeRemovals.filter(({ name }) => !inUse.has(name));
}
