/** Changes of a container that runs: its limits, and whether it runs on. */
import { ClusterError } from '#model/errors.ts';
import type { TaskResources } from '#model/resources.ts';
import { containerId } from './names.ts';
import type { TaskParts } from './ports.ts';
import type { TaskRecord } from './record.ts';

export interface Adjustment {
  readonly record: TaskRecord;
  /** Keeps the record, durably once resolved. */
  readonly save: (record: TaskRecord) => Promise<void>;
}

/**
 * Holds the container to `resources`. The record forgets what it is held to before the first file is written, so that an agent that dies
 * in between writes all of them again.
 *
 * @returns why the kernel or the node refuses; the limits are then as they were
 */
export async function resizeContainer({ record, save }: Adjustment, resources: TaskResources, parts: Pick<TaskParts, 'cgroups' | 'events'>): Promise<string | undefined> {
  const { resources: before, ...unsure } = record;
  await save(unsure);
  try {
    const ignored = await parts.cgroups.limit(containerId(record.task.id, record.attempt), resources, before);
    await save({ ...unsure, resources });
    for (const message of ignored) {
      parts.events.happened({ type: 'warning', task: record.task, reason: 'LimitIgnored', message });
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof ClusterError) || error.code !== 'FAILED_PRECONDITION') throw error;
    await save(record);
    return error.message;
  }
}

/** Written after it is so: done twice, either changes nothing more. */
export async function setFrozen({ record, save }: Adjustment, isFrozen: boolean, { cgroups }: Pick<TaskParts, 'cgroups'>): Promise<void> {
  const id = containerId(record.task.id, record.attempt);
  await (isFrozen ? cgroups.freeze(id) : cgroups.thaw(id));
  await save({ ...record, isFrozen });
}
