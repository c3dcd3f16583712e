import type { Task } from '#model/task.ts';
import type { Adjuster } from './adjust-flow.ts';
import type { TaskParts } from './ports.ts';
import type { TaskRecord } from './record.ts';
import { QUIET, statusOf } from './status.ts';
import type { LiveState } from './status.ts';

/** What is known of one task: its record, on disk and in memory, and the live state; and what of both is told. Written by the task's loop and its hands alone. */
export class TaskBook {
  readonly #parts: Pick<TaskParts, 'records' | 'statuses' | 'events' | 'node'>;
  readonly #adjuster: Pick<Adjuster, 'tellRefusal'>;
  #record: TaskRecord;
  #isSaved = true;
  /** Of the step in progress; what is put here is told with the next report. */
  live: LiveState = QUIET;

  constructor(parts: Pick<TaskParts, 'records' | 'statuses' | 'events' | 'node'>, record: TaskRecord, adjuster: Pick<Adjuster, 'tellRefusal'>) {
    this.#parts = parts;
    this.#record = record;
    this.#adjuster = adjuster;
  }

  get record(): TaskRecord {
    return this.#record;
  }

  /** False when the disk did not take the newest record. */
  get isSaved(): boolean {
    return this.#isSaved;
  }

  /** The task as the newest assignment has it: no record that is put later takes that back. */
  setTask(task: Task): void {
    this.#record = { ...this.#record, task };
  }

  /** In memory alone: the step that begins says when it goes to the disk. */
  put(record: TaskRecord): void {
    this.#record = { ...record, task: this.#record.task };
  }

  /** Durable once resolved; the newest one is the truth even when this throws. */
  async save(record: TaskRecord): Promise<void> {
    this.put(record);
    this.#isSaved = false;
    await this.#parts.records.save(this.#record);
    this.#isSaved = true;
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
