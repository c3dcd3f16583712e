/** A node as the planners see it from outside: it runs what it was told last, and reports when it is not cut off. */
import type { Node } from '#model/node.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import type { Random } from './random.ts';

interface Container {
  task: Task;
  status: TaskStatus;
  /** Virtual ms of the next step of its life. */
  dueAtMs: number;
}

export class SimNode {
  readonly id: Node['id'];
  isCut = false;
  /** Since when no message got through; undefined while it is connected. */
  cutSinceMs: number | undefined;
  readonly #containers = new Map<string, Container>();
  readonly #random: Random;

  constructor(id: Node['id'], random: Random) {
    this.id = id;
    this.#random = random;
  }

  cut(nowMs: number): void {
    this.isCut = true;
    this.cutSinceMs ??= nowMs;
  }

  heal(): void {
    this.isCut = false;
    this.cutSinceMs = undefined;
  }

  /** Power loss: every process dies; what is still wanted starts again as the next attempt. */
  reboot(nowMs: number): void {
    for (const one of this.#containers.values()) {
      if (!isOver(one)) {
        one.status = { ...one.status, attempt: one.status.attempt + 1, phase: 'pending', restarts: one.status.restarts + 1 };
        one.dueAtMs = nowMs + this.#random.between(500, 3_000);
      }
    }
  }

  /** The full assignment: what is not in it is killed and forgotten. */
  assign(tasks: readonly Task[], nowMs: number): void {
    const ids = new Set<string>(tasks.map(task => task.id));
    for (const id of [...this.#containers.keys()].filter(known => !ids.has(known))) {
      this.#containers.delete(id);
    }
    for (const task of tasks) {
      const known = this.#containers.get(task.id);
      if (known === undefined) {
        this.#containers.set(task.id, { task, status: firstStatus(task), dueAtMs: nowMs + this.#random.between(0, 2_000) });
      } else if (known.task.desired !== task.desired) {
        known.task = task;
        known.dueAtMs = Math.min(known.dueAtMs, nowMs + this.#random.between(0, 3_000));
      }
    }
  }

  /** Time passes; `crashRate` is the chance that a running container dies now. */
  step(nowMs: number, crashRate: number): void {
    for (const one of this.#containers.values()) {
      if (isOver(one)) {
        continue;
      }
      if (one.status.phase === 'running' && one.task.desired === 'run' && this.#random.chance(crashRate)) {
        this.#crash(one, nowMs);
      } else if (nowMs >= one.dueAtMs) {
        this.#advance(one, nowMs);
      }
    }
  }

  statuses(): readonly TaskStatus[] {
    return [...this.#containers.values()].map(one => one.status);
  }

  /** Tasks with a process tree now. */
  running(): readonly Task[] {
    return [...this.#containers.values()].filter(one => one.status.phase === 'running' || one.status.phase === 'stopping').map(one => one.task);
  }

  #crash(one: Container, nowMs: number): void {
    if (this.#random.chance(0.5)) {
      one.status = { ...one.status, phase: 'failed', reason: 'crash-loop', message: 'exited with 1', finishedAtMs: nowMs };
    } else {
      one.status = { ...one.status, attempt: one.status.attempt + 1, phase: 'starting', health: 'starting', restarts: one.status.restarts + 1 };
      one.dueAtMs = nowMs + this.#random.between(0, 2_000);
    }
  }

  #advance(one: Container, nowMs: number): void {
    const { status, task } = one;
    one.dueAtMs = nowMs + this.#random.between(500, 3_000);
    if (task.desired === 'stop') {
      const isStopping = status.phase === 'stopping' || status.phase !== 'running';
      one.status = isStopping ? { ...status, phase: 'failed', reason: 'stopped', finishedAtMs: nowMs } : { ...status, phase: 'stopping' };
    } else if (status.phase === 'pending') {
      one.status = { ...status, phase: 'pulling' };
    } else if (status.phase !== 'running') {
      one.status = { ...status, phase: 'running', health: 'starting', startedAtMs: nowMs, address: '10.128.0.9' };
    } else if (task.container.image.includes('bad')) {
      one.status = { ...status, phase: 'failed', reason: 'crash-loop', message: 'exited with 1', finishedAtMs: nowMs };
    } else if (task.kind === 'job') {
      one.status = { ...status, phase: 'complete', finishedAtMs: nowMs };
    } else {
      one.status = { ...status, health: 'healthy' };
    }
  }
}

function isOver(one: Container): boolean {
  return one.status.phase === 'complete' || one.status.phase === 'failed';
}

function firstStatus(task: Task): TaskStatus {
  return { id: task.id, node: task.node, attempt: 1, phase: 'pending', health: 'none', reason: '', message: '', restarts: 0, isPaused: false };
}
