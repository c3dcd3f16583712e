import type { TaskId } from '#model/ids.ts';
import { isForward } from '#model/task.ts';
import type { Phase, TaskStatus } from '#model/task.ts';

interface Entry {
  readonly status: TaskStatus;
  readonly isSettled: boolean;
  /** Monotonic; when it is to be sent for the first time. */
  readonly dueAtMs: number;
  /** Absent: not sent yet. `atMs` is monotonic, `seq` that of the heartbeat, 0 of the registration. */
  readonly sent?: { readonly seq: number; readonly atMs: number };
}

/** What an acknowledgement says about a status. */
export interface Settled {
  readonly task: TaskId;
  readonly attempt: number;
  readonly phase: string;
}

/** A step that is over sooner is not told: each word is a write in the cluster's store, and a start would be four of them. */
const PASSING_MS = 500;
const BUILDING: ReadonlySet<Phase> = new Set(['pulling', 'preparing', 'starting']);

/**
 * The newest status of each task, until acknowledged.
 *
 * 1. A status that goes back, or says the same, changes nothing. 2. One that was sent is offered again after `resendMs`, and to each
 * new session. 3. Only an acknowledgement of the heartbeat that carried the newest one, or of a later one, settles it. 4. Steps on the way to
 * what a task is to be are sent when they have lasted for `PASSING_MS`; all else at once.
 */
export class ReportBook {
  readonly #entries = new Map<TaskId, Entry>();

  /** True when there is something new to send. */
  take(status: TaskStatus, nowMs: number): boolean {
    const held = this.#entries.get(status.id);
    if (held !== undefined && (!isForward(held.status, status) || isSame(held.status, status))) {
      return false;
    }
    const waitsUntilMs = held !== undefined && held.sent === undefined ? held.dueAtMs : Infinity;
    const dueAtMs = Math.min(waitsUntilMs, isPassing(status) ? nowMs + PASSING_MS : nowMs);
    this.#entries.set(status.id, { status, isSettled: false, dueAtMs });
    return true;
  }

  drop(task: TaskId): void {
    this.#entries.delete(task);
  }

  settle(seq: number, settled: readonly Settled[]): void {
    for (const { task, attempt, phase } of settled) {
      const entry = this.#entries.get(task);
      const isNewest = entry?.status.attempt === attempt && entry.status.phase === phase;
      if (isNewest && entry.sent !== undefined && entry.sent.seq <= seq) {
        this.#entries.set(task, { ...entry, isSettled: true });
      }
    }
  }

  /** Milliseconds until something is to be sent for the first time; 0 and below: now; Infinity: nothing waits. */
  dueInMs(nowMs: number): number {
    return Math.min(...[...this.#entries.values()].filter(entry => entry.sent === undefined).map(entry => entry.dueAtMs - nowMs));
  }

  /** For heartbeat `seq`: what is due and was not sent yet, or `resendMs` ago without an answer. */
  toSend(seq: number, nowMs: number, resendMs: number): readonly TaskStatus[] {
    const due = [...this.#entries.values()].filter(entry => !entry.isSettled && (entry.sent === undefined ? entry.dueAtMs <= nowMs : nowMs - entry.sent.atMs >= resendMs));
    return this.#mark(due, seq, nowMs);
  }

  /** For a registration: all of them, and none counts as settled. */
  all(nowMs: number): readonly TaskStatus[] {
    return this.#mark([...this.#entries.values()], 0, nowMs);
  }

  #mark(entries: readonly Entry[], seq: number, atMs: number): readonly TaskStatus[] {
    for (const { status, dueAtMs } of entries) {
      this.#entries.set(status.id, { status, isSettled: false, dueAtMs, sent: { seq, atMs } });
    }
    return entries.map(entry => entry.status);
  }
}

/** On the way to running, or to its end as wished; between two attempts it is not: that is how an exit is told. */
function isPassing({ phase, attempt, reason, message }: TaskStatus): boolean {
  const isBuilding = (BUILDING.has(phase) || (phase === 'assigned' && attempt === 0)) && reason === '' && message === '';
  return isBuilding || (phase === 'stopping' && reason === 'stopped');
}

function isSame(left: TaskStatus, right: TaskStatus): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
