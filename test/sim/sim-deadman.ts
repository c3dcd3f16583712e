/** The deadman of a simulated machine, as deploy/bin/gantry-deadman: it lives on when the agent dies or stands still. */
import { lastRunMs } from '#model/exclusive.ts';
import type { TaskId } from '#model/ids.ts';
import type { Task } from '#model/task.ts';
import type { DeadmanWatch } from '../../agent/ports.ts';
import { containerId } from '../../agent/task/names.ts';
import type { Deadman } from '../../agent/task/ports.ts';
import type { SimTime } from './sim-time.ts';

/** How often it looks, once a time is over. */
const LOOK_MS = 500;

interface Guarded {
  readonly id: string;
  readonly allowedMs: number;
}

export class SimDeadman implements Deadman, DeadmanWatch {
  readonly #time: SimTime;
  /** Ends all that is there of a task. False when there is nothing. */
  readonly #kill: (task: TaskId) => boolean;
  #attempts = new Map<TaskId, Guarded>();
  #killed = new Set<string>();
  #heardAtMs: number | undefined;
  #stop: () => void = () => undefined;

  constructor(time: SimTime, kill: (task: TaskId) => boolean) {
    this.#time = time;
    this.#kill = kill;
  }

  reboot(): void {
    this.#stop();
    this.#attempts = new Map();
    this.#killed = new Set();
    this.#heardAtMs = undefined;
  }

  isAtWork(): boolean {
    return true;
  }

  uptimeMs(): number {
    return this.#time.nowMs;
  }

  heardAgoMs(): number | undefined {
    return this.#heardAtMs === undefined ? undefined : this.#time.nowMs - this.#heardAtMs;
  }

  heard(sentUptimeMs: number): void {
    this.#heardAtMs = Math.max(sentUptimeMs, this.#heardAtMs ?? sentUptimeMs);
  }

  guard({ id, stopAfterMs, container }: Task, attempt: number): boolean {
    if (stopAfterMs !== undefined) {
      this.#attempts.set(id, { id: containerId(id, attempt), allowedMs: lastRunMs({ stopAfterMs, container }) });
      this.#look();
    }
    return true;
  }

  release(task: TaskId): void {
    this.#killed.delete(this.#attempts.get(task)?.id ?? '');
    this.#attempts.delete(task);
  }

  releaseAllBut(tasks: ReadonlySet<TaskId>): void {
    [...this.#attempts.keys()].filter(task => !tasks.has(task)).forEach(task => { this.release(task); });
  }

  hasKilled(task: TaskId, attempt: number): boolean {
    return this.#killed.has(containerId(task, attempt));
  }

  #look(): void {
    this.#stop();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [task, { id, allowedMs }] of this.#attempts) {
      const dueMs = (this.#heardAtMs ?? 0) + allowedMs;
      if (dueMs <= this.#time.nowMs && this.#kill(task)) this.#killed.add(id);
      nextMs = Math.min(nextMs, Math.max(dueMs, this.#time.nowMs + LOOK_MS));
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#stop = this.#time.at(nextMs, () => { this.#look(); });
  }
}
