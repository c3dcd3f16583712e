/** Changes of a container that runs: its limits, and whether it runs on. */
import { ClusterError } from '#model/errors.ts';
import type { TaskResources } from '#model/resources.ts';
import { RESIZE_REFUSED } from '#model/task.ts';
import { containerId } from './names.ts';
import type { Observed, TaskAction } from './phase.ts';
import type { TaskParts } from './ports.ts';
import type { TaskRecord } from './record.ts';
import type { LiveState } from './status.ts';

export interface Adjustment {
  readonly record: TaskRecord;
  /** Keeps the record, durably once resolved. */
  readonly save: (record: TaskRecord) => Promise<void>;
}

export type AdjustAction = Extract<TaskAction, { readonly kind: 'freeze' | 'thaw' | 'resize' }>;

type AdjusterParts = Pick<TaskParts, 'cgroups' | 'events' | 'clock'>;

/** A change that was refused is tried again after this: what a container uses goes up and down. */
const RESIZE_RETRY_MS = 10_000;

/** Carries changes out, and keeps why the newest change of resources was refused. */
export class Adjuster {
  readonly #parts: AdjusterParts;
  #refusal: { readonly message: string; readonly retryAtMs: number } | undefined;

  constructor(parts: AdjusterParts) {
    this.#parts = parts;
  }

  /** What the next decision has to know. */
  observe(): Pick<Observed, 'resizeNotBeforeMs'> {
    return this.#refusal === undefined ? {} : { resizeNotBeforeMs: this.#refusal.retryAtMs };
  }

  /** The refusal as the live state's reason, unless that has another. */
  tellRefusal(live: LiveState): LiveState {
    return this.#refusal === undefined || live.reason !== '' ? live : { ...live, reason: RESIZE_REFUSED, message: this.#refusal.message };
  }

  async carryOut(action: AdjustAction, adjustment: Adjustment): Promise<void> {
    await (action.kind === 'resize' ? this.#resize(adjustment, action.resources) : this.#setFrozen(adjustment, action.kind === 'freeze'));
  }

  /** What the task asks for changed, or the attempt ended: the next try is at once. */
  forget(): void {
    this.#refusal = undefined;
  }

  async #setFrozen(adjustment: Adjustment, isFrozen: boolean): Promise<void> {
    const { task, attempt, isFrozen: before } = adjustment.record;
    await setFrozen(adjustment, isFrozen, this.#parts);
    if (before !== undefined) {
      this.#parts.events.happened({ type: 'normal', task, reason: isFrozen ? 'Paused' : 'Unpaused', message: `attempt ${String(attempt)}` });
    }
  }

  async #resize(adjustment: Adjustment, resources: TaskResources): Promise<void> {
    const { task, attempt } = adjustment.record;
    const earlier = this.#refusal?.message;
    const message = await resizeContainer(adjustment, resources, this.#parts);
    this.#refusal = message === undefined ? undefined : { message, retryAtMs: this.#parts.clock.nowMs() + RESIZE_RETRY_MS };
    if (message === undefined) {
      this.#parts.events.happened({ type: 'normal', task, reason: 'Resized', message: `attempt ${String(attempt)} goes on with its new resources` });
    } else if (message !== earlier) {
      this.#parts.events.happened({ type: 'warning', task, reason: RESIZE_REFUSED, message });
    }
  }
}

/**
 * Holds the container to `resources`. The record forgets what it is held to before the first file is written, so that an agent that dies
 * in between writes all of them again.
 *
 * @returns why the kernel or the node refuses; the limits are then as they were
 */
async function resizeContainer({ record, save }: Adjustment, resources: TaskResources, parts: Pick<TaskParts, 'cgroups' | 'events'>): Promise<string | undefined> {
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
async function setFrozen({ record, save }: Adjustment, isFrozen: boolean, { cgroups }: Pick<TaskParts, 'cgroups'>): Promise<void> {
  const id = containerId(record.task.id, record.attempt);
  await (isFrozen ? cgroups.freeze(id) : cgroups.thaw(id));
  await save({ ...record, isFrozen });
}
