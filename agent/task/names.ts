import { parseTaskId } from '#model/ids.ts';
import type { TaskId } from '#model/ids.ts';

const CONTAINER_ID = /^gantry-([a-z2-7]{12})-([1-9][0-9]{0,8})$/;

/** One attempt of one task: what every name of a container derives from. */
export interface AttemptName {
  readonly task: TaskId;
  readonly attempt: number;
}

/** The container of an attempt; also the key of its root file system and the name of its bundle. Fits `^[a-z0-9][a-z0-9-]{0,62}$`. */
export function containerId(task: TaskId, attempt: number): string {
  return `gantry-${task}-${String(attempt)}`;
}

/** The attempt that `containerId` named; undefined for names that are not ours. */
export function parseContainerId(id: string): AttemptName | undefined {
  const match = CONTAINER_ID.exec(id);
  return match?.[1] === undefined ? undefined : { task: parseTaskId(match[1]), attempt: Number(match[2]) };
}
