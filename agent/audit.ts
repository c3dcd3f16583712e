import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import type { TaskId } from '#model/ids.ts';
import type { CreatedContainer } from './runtime/ports.ts';
import type { LogName } from './task/log-name.ts';
import { containerId, parseContainerId } from './task/names.ts';
import type { TaskRecord } from './task/record.ts';

/** Main containers that belong to some attempt, and with them its companions: of each task the newest one, unless nothing of it can be there, and the one after it, which may just begin. */
export function claimedNames(records: readonly TaskRecord[]): ReadonlySet<string> {
  return new Set(records.flatMap(({ task, attempt, step }) => step === 'finished' ? [] : [containerId(task.id, attempt), containerId(task.id, attempt + 1)]));
}

export interface RunningContainer {
  readonly task: TaskId;
  readonly id: string;
  readonly log: LogName;
  readonly process: ProcessIdentity;
  readonly monitor: ProcessIdentity;
}

/** Every container that was started and whose end was not seen yet. */
export function runningContainers(records: readonly TaskRecord[]): readonly RunningContainer[] {
  return records.flatMap(({ task, attempt, step, container, companions = [] }) => [
    ...(step === 'running' && container !== undefined ? [running(task.id, { attempt }, container)] : []),
    ...companions.flatMap((one, index) => (one.step === 'running' && one.container !== undefined ? [running(task.id, { attempt, companion: { index, run: one.run } }, one.container)] : [])),
  ]);
}

function running(task: TaskId, log: LogName, { container, monitor }: CreatedContainer): RunningContainer {
  return { task, id: containerId(task, log.attempt, log.companion), log, process: container, monitor };
}

/** True for a name of ours that no task claims; foreign names are left alone. */
export function isStray(id: string, claimed: ReadonlySet<string>): boolean {
  const name = parseContainerId(id);
  return name !== undefined && !claimed.has(containerId(name.task, name.attempt));
}
