import type { Task } from '#model/task.ts';
import type { Adjuster } from './adjust-flow.ts';
import type { TaskParts } from './ports.ts';
import type { TaskRecord } from './record.ts';
import { QUIET, statusOf } from './status.ts';
import type { LiveState } from './status.ts';

/** So many starts at once do not wait for each other's records, and what ends sooner is written once. */
const SAVE_DELAY_MS = 2000;

/** What is known of one task: its record, on disk and in memory, and the live state; and what of both is told. Written by the task's loop and its hands alone. */
export class TaskBook {
  readonly #parts: Pick<TaskParts, 'records' | 'statuses' | 'events' | 'node' | 'clock'>;
  readonly #adjuster: Pick<Adjuster, 'tellRefusal'>;
  #record: TaskRecord;
  /** Monotonic, when the newest record has to be on the disk; undefined: it is. */
  #saveAtMs: number | undefined;
  /** Of the step in progress; what is put here is told with the next report. */
  live: LiveState = QUIET;

  constructor(parts: Pick<TaskParts, 'records' | 'statuses' | 'events' | 'node' | 'clock'>, record: TaskRecord, adjuster: Pick<Adjuster, 'tellRefusal'>) {
    this.#parts = parts;
    this.#record = record;
    this.#adjuster = adjuster;
  }

  get record(): TaskRecord {
    return this.#record;
  }

  /** Ms until the newest record has to be on the disk, 0 when it should be; undefined when it is. */
  get saveInMs(): number | undefined {
    return this.#saveAtMs === undefined ? undefined : Math.max(0, this.#saveAtMs - this.#parts.clock.monotonicMs());
  }

  /** The task as the newest assignment has it: no record that is put later takes that back. When it stops itself never changes, and a controller of before does not say it. */
  setTask(task: Task): void {
    const { stopAfterMs } = this.#record.task;
    this.#record = { ...this.#record, task: task.stopAfterMs === undefined && stopAfterMs !== undefined ? { ...task, stopAfterMs } : task };
  }

  /** In memory alone: the step that begins says when it goes to the disk. */
  put(record: TaskRecord): void {
    this.#record = { ...record, task: this.#record.task };
  }

  /** Durable once resolved; the newest one is the truth even when this throws. */
  async save(record: TaskRecord): Promise<void> {
    this.put(record);
    this.#saveAtMs = this.#parts.clock.monotonicMs();
    await this.#parts.records.save(this.#record);
    this.#saveAtMs = undefined;
  }

  /** To be on the disk within SAVE_DELAY_MS, by whoever sees `saveInMs`: what is there leads a recovery to the same. */
  saveSoon(record: TaskRecord): void {
    this.put(record);
    this.#saveAtMs = this.#parts.clock.monotonicMs() + SAVE_DELAY_MS;
  }

  setLive(live: LiveState, record: TaskRecord = this.#record): void {
    this.live = live;
    this.put(record);
    this.report();
  }

  report(): void {
    this.#parts.statuses.report(statusOf(this.#record, this.#adjuster.tellRefusal(this.live), this.#parts.node));
  }

  tell(type: 'normal' | 'warning', reason: string, message: string): void {
    this.#parts.events.happened({ type, task: this.#record.task, reason, message });
  }
}
