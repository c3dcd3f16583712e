import type { ProcessIdentity } from './runtime/ports.ts';
import { containerId, parseContainerId } from './task/names.ts';
import type { TaskRecord } from './task/record.ts';

/** Main containers that belong to some attempt, and with them its companions: of each task the newest one, unless nothing of it can be there, and the one after it, which may just begin. */
export function claimedNames(records: readonly TaskRecord[]): ReadonlySet<string> {
  return new Set(records.flatMap(({ task, attempt, step }) => step === 'finished' ? [] : [containerId(task.id, attempt), containerId(task.id, attempt + 1)]));
}

/** Every container that was started and whose end was not seen yet, with its first process. */
export function runningContainers(records: readonly TaskRecord[]): readonly { readonly id: string; readonly process: ProcessIdentity }[] {
  return records.flatMap(({ task, attempt, step, container, companions = [] }) => [
    ...(step === 'running' && container !== undefined ? [{ id: containerId(task.id, attempt), process: container.container }] : []),
    ...companions.flatMap((one, index) => (one.step === 'running' && one.container !== undefined ? [{ id: containerId(task.id, attempt, { index, run: one.run }), process: one.container.container }] : [])),
  ]);
}

/** True for a name of ours that no task claims; foreign names are left alone. */
export function isStray(id: string, claimed: ReadonlySet<string>): boolean {
  const name = parseContainerId(id);
  return name !== undefined && !claimed.has(containerId(name.task, name.attempt));
}
