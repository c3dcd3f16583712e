import type { TaskId } from '#model/ids.ts';
import { isForward } from '#model/task.ts';
import type { TaskStatus } from '#model/task.ts';

interface Entry {
  readonly status: TaskStatus;
  readonly isSettled: boolean;
  /** Absent: not sent yet. `atMs` is monotonic, `seq` that of the heartbeat, 0 of the registration. */
  readonly sent?: { readonly seq: number; readonly atMs: number };
}

/** What an acknowledgement says about a status. */
export interface Settled {
  readonly task: TaskId;
  readonly attempt: number;
  readonly phase: string;
}

/**
 * The newest status of each task, until acknowledged.
 *
 * 1. A status that goes back, or says the same, changes nothing. 2. One that was sent is offered again after `resendMs`, and to each
 * new session. 3. Only an acknowledgement of the heartbeat that carried the newest one, or of a later one, settles it.
 */
export class ReportBook {
  readonly #entries = new Map<TaskId, Entry>();

  /** True when there is something new to send. */
  take(status: TaskStatus): boolean {
    const held = this.#entries.get(status.id)?.status;
    if (held !== undefined && (!isForward(held, status) || isSame(held, status))) {
      return false;
    }
    this.#entries.set(status.id, { status, isSettled: false });
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

  /** For heartbeat `seq`: what was not sent yet, or `resendMs` ago without an answer. */
  toSend(seq: number, nowMs: number, resendMs: number): readonly TaskStatus[] {
    const due = [...this.#entries.values()].filter(entry => !entry.isSettled && (entry.sent === undefined || nowMs - entry.sent.atMs >= resendMs));
    return this.#mark(due, seq, nowMs);
  }

  /** For a registration: all of them, and none counts as settled. */
  all(nowMs: number): readonly TaskStatus[] {
    return this.#mark([...this.#entries.values()], 0, nowMs);
  }

  #mark(entries: readonly Entry[], seq: number, atMs: number): readonly TaskStatus[] {
    for (const { status } of entries) {
      this.#entries.set(status.id, { status, isSettled: false, sent: { seq, atMs } });
    }
    return entries.map(entry => entry.status);
  }
}

function isSame(left: TaskStatus, right: TaskStatus): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
