/** Assigned tasks of one node of a crowd. None has a process: each runs, or has ended, as soon as it is to. */
import type { Assignment } from '#model/assignment.ts';
import type { TaskId } from '#model/ids.ts';
import type { HeartbeatAck } from '#model/session.ts';
import type { Task, TaskStatus } from '#model/task.ts';

/** What all nodes of a crowd have together. */
export class CrowdTally {
  running = 0;
  /** Statuses that no acknowledgement named yet. */
  unsettled = 0;
  /** Tasks that are to run, by App. */
  readonly wanted = new Map<string, number>();
  /** By App: when its first task came, by the wall clock. */
  readonly firstAtMs = new Map<string, number>();
}

interface HeldTask {
  readonly status: TaskStatus;
  readonly app: string;
}

export class CrowdTasks {
  /** Of the assignment that is in force. */
  generation = 0;
  readonly #tally: CrowdTally;
  readonly #held = new Map<TaskId, HeldTask>();
  readonly #unsettled = new Map<TaskId, TaskStatus>();

  constructor(tally: CrowdTally) {
    this.#tally = tally;
  }

  /** False when it does not follow the assignment that is in force. */
  assign(assignment: Assignment): boolean {
    if (assignment.kind === 'delta' && assignment.from !== this.generation) {
      return false;
    }
    const tasks = assignment.kind === 'full' ? assignment.tasks : assignment.upserts;
    const ids = new Set(tasks.map(({ id }) => id));
    const gone = (): readonly TaskId[] => [...this.#held.keys()].filter(id => !ids.has(id));
    const removals = assignment.kind === 'full' ? gone() : assignment.removals;
    removals.forEach(id => { this.#forget(id); });
    tasks.forEach(task => { this.#take(task); });
    this.generation = assignment.generation;
    return true;
  }

  /** Each task that is assigned. */
  statuses(): readonly TaskStatus[] {
    return [...this.#held.values()].map(({ status }) => status);
  }

  unsettled(): readonly TaskStatus[] {
    return [...this.#unsettled.values()];
  }

  settle(settled: HeartbeatAck['settled']): void {
    for (const { task, phase } of settled) {
      if (this.#unsettled.get(task)?.phase === phase) this.#settleOne(task);
    }
  }

  #take(task: Task): void {
    const phase = task.desired === 'run' ? 'running' : 'complete';
    const before = this.#held.get(task.id);
    if (before?.status.phase === phase) {
      return;
    }
    if (before !== undefined) this.#count(before, -1);
    const status: TaskStatus = {
      id: task.id, node: task.node, attempt: 1, phase, health: 'none', reason: '', message: '', restarts: 0, isPaused: false,
    };
    const held = { status, app: task.app };
    this.#held.set(task.id, held);
    this.#count(held, 1);
    if (!this.#unsettled.has(task.id)) this.#tally.unsettled += 1;
    this.#unsettled.set(task.id, status);
  }

  #forget(id: TaskId): void {
    const held = this.#held.get(id);
    if (held !== undefined) this.#count(held, -1);
    this.#held.delete(id);
    if (this.#unsettled.has(id)) this.#settleOne(id);
  }

  #settleOne(id: TaskId): void {
    this.#unsettled.delete(id);
    this.#tally.unsettled -= 1;
  }

  #count({ status, app }: HeldTask, change: 1 | -1): void {
    if (status.phase !== 'running') {
      return;
    }
    const { wanted, firstAtMs } = this.#tally;
    this.#tally.running += change;
    wanted.set(app, (wanted.get(app) ?? 0) + change);
    if (!firstAtMs.has(app)) firstAtMs.set(app, Date.now());
  }
}
