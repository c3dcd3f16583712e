/** The newest usage of each task: bounded by the tasks there are, forgotten when it is old. */
import type { TaskId } from '#model/ids.ts';
import { milliCpuBetween } from '#model/usage-rate.ts';
import type { TaskUsage, UsageSample } from '#model/usage.ts';

interface Row extends TaskUsage {
  /** On our monotonic clock: that of the agent is another. */
  readonly heardAtMs: number;
}

/** Agents sample each 2 s: a task of which nothing is heard for this long has no usage that is known. */
const MAX_AGE_MS = 10_000;

export class UsageTable {
  readonly #rows = new Map<TaskId, Row>();
  #sweptAtMs = 0;

  add(sample: UsageSample, monotonicMs: number): void {
    if (monotonicMs - this.#sweptAtMs > MAX_AGE_MS) {
      this.#dropOld(monotonicMs);
    }
    const milliCpu = milliCpuBetween(this.#rows.get(sample.task)?.sample, sample);
    this.#rows.set(sample.task, { sample, heardAtMs: monotonicMs, ...(milliCpu === undefined ? {} : { milliCpu }) });
  }

  /** Of the tasks that are there still. */
  recent(isThere: (task: TaskId) => boolean, monotonicMs: number): readonly TaskUsage[] {
    this.#dropOld(monotonicMs);
    return [...this.#rows.values()].filter(({ sample }) => isThere(sample.task)).map(({ heardAtMs: _, ...usage }) => usage);
  }

  #dropOld(monotonicMs: number): void {
    this.#sweptAtMs = monotonicMs;
    for (const [task, { heardAtMs }] of this.#rows) {
      if (monotonicMs - heardAtMs > MAX_AGE_MS) {
        this.#rows.delete(task);
      }
    }
  }
}
