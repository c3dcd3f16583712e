import { containerId, parseContainerId } from './task/names.ts';
import type { TaskRecord } from './task/record.ts';

/** Main containers that belong to some attempt, and with them its companions: of each task the newest one, unless nothing of it can be there, and the one after it, which may just begin. */
export function claimedNames(records: readonly TaskRecord[]): ReadonlySet<string> {
  return new Set(records.flatMap(({ task, attempt, step }) => step === 'finished' ? [] : [containerId(task.id, attempt), containerId(task.id, attempt + 1)]));
}

/** True for a name of ours that no task claims; foreign names are left alone. */
export function isStray(id: string, claimed: ReadonlySet<string>): boolean {
  const name = parseContainerId(id);
  return name !== undefined && !claimed.has(containerId(name.task, name.attempt));
}
