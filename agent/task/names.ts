import { parseTaskId } from '#model/ids.ts';
import type { TaskId } from '#model/ids.ts';

const CONTAINER_ID = /^gantry-([a-z2-7]{12})-([1-9][0-9]{0,8})(?:-c([0-9]{1,2})-([1-9][0-9]{0,8})|-d[1-9][0-9]{0,8})?$/;

/** One run of one companion within an attempt. */
export interface CompanionRun {
  /** Place in the task's companions, from 0. */
  readonly index: number;
  /** From 1. */
  readonly run: number;
}

/** One container of an attempt of a task: what every name of it derives from. Without `companion` it is the main one. */
export interface ContainerName {
  readonly task: TaskId;
  readonly attempt: number;
  readonly companion?: CompanionRun;
}

/** A container's id; also the key of its root file system and the name of its bundle. Fits `^[a-z0-9][a-z0-9-]{0,62}$`. */
export function containerId(task: TaskId, attempt: number, companion?: CompanionRun): string {
  return `gantry-${task}-${String(attempt)}${companion === undefined ? '' : `-c${String(companion.index)}-${String(companion.run)}`}`;
}

/** The id of a debug container beside an attempt; `session` from 1, never used twice by one agent. No record claims it: an agent that starts takes it away. */
export function debugContainerId(task: TaskId, attempt: number, session: number): string {
  return `gantry-${task}-${String(attempt)}-d${String(session)}`;
}

/** What `containerId` or `debugContainerId` named; undefined for names that are not ours. */
export function parseContainerId(id: string): ContainerName | undefined {
  const [, task, attempt, index, run] = CONTAINER_ID.exec(id) ?? [];
  if (task === undefined) {
    return undefined;
  }
  const name = { task: parseTaskId(task), attempt: Number(attempt) };
  return index === undefined ? name : { ...name, companion: { index: Number(index), run: Number(run) } };
}

/** The key of the files (volumes, configs, secrets) of one container of the task; the same in every attempt. */
export function filesKey(task: TaskId, companionIndex?: number): string {
  return companionIndex === undefined ? task : `${task}-c${String(companionIndex)}`;
}
