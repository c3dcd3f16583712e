import type { TaskId } from '#model/ids.ts';
import { isSameJson } from '#model/same-json.ts';
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
/** That it is assigned the cluster says itself: it is told of a task that waits its turn for long. */
const WAITING_MS = 5_000;
const BUILDING: ReadonlySet<Phase> = new Set(['pulling', 'preparing', 'starting']);
/** While more tasks than these are on their way, what is new waits for company: each heartbeat with news is a transaction, and what follows from it at every node. */
const FEW = 4;
const COMPANY_MS = 100;

/**
 * The newest status of each task, until acknowledged.
 *
 * 1. A status that goes back, or says the same, changes nothing. 2. One that was sent is offered again after `resendMs`, and to each
 * new session. 3. Only an acknowledgement of the heartbeat that carried the newest one, or of a later one, settles it. 4. Steps on the way to
 * what a task is to be are sent when they have lasted for `PASSING_MS`. 5. All else at once; in a burst all that came within `COMPANY_MS`, together.
 */
export class ReportBook {
  readonly #entries = new Map<TaskId, Entry>();
  /** Those that were not sent, and those of them that are on their way. */
  readonly #unsent = new Set<TaskId>();
  readonly #underway = new Set<TaskId>();
  /** When what waits for company is due. */
  #companyAtMs = -Infinity;

  /** True when there is something new to send. */
  take(status: TaskStatus, nowMs: number): boolean {
    const held = this.#entries.get(status.id);
    if (held !== undefined && (!isForward(held.status, status) || isSameJson(held.status, status))) {
      return false;
    }
    const waitsUntilMs = held !== undefined && held.sent === undefined ? held.dueAtMs : Infinity;
    const passingMs = passingMsOf(status);
    if (passingMs === undefined) {
      this.#underway.delete(status.id);
    } else {
      this.#underway.add(status.id);
    }
    const dueAtMs = Math.min(waitsUntilMs, passingMs === undefined ? this.#newsDueAtMs(nowMs) : nowMs + passingMs);
    this.#entries.set(status.id, { status, isSettled: false, dueAtMs });
    this.#unsent.add(status.id);
    return true;
  }

  drop(task: TaskId): void {
    this.#entries.delete(task);
    this.#unsent.delete(task);
    this.#underway.delete(task);
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
    let dueAtMs = Infinity;
    for (const task of this.#unsent) {
      dueAtMs = Math.min(dueAtMs, this.#entries.get(task)?.dueAtMs ?? Infinity);
    }
    return dueAtMs - nowMs;
  }

  /**
   * For heartbeat `seq`: what is due and was not sent yet, with what waits for company, and what was sent `resendMs` ago without an answer. A heartbeat
   * for another reason is no company: endpoints that follow from what was told are acknowledged by one.
   */
  toSend(seq: number, nowMs: number, resendMs: number): readonly TaskStatus[] {
    const hasNews = this.dueInMs(nowMs) <= 0;
    const due = [...this.#entries.values()].filter(({ isSettled, sent, dueAtMs, status }) =>
      !isSettled && (sent === undefined ? hasNews && (dueAtMs <= nowMs || !this.#underway.has(status.id)) : nowMs - sent.atMs >= resendMs));
    return this.#mark(due, seq, nowMs);
  }

  /** For a registration: all of them, and none counts as settled. */
  all(nowMs: number): readonly TaskStatus[] {
    return this.#mark([...this.#entries.values()], 0, nowMs);
  }

  #newsDueAtMs(nowMs: number): number {
    if (this.#underway.size <= FEW) {
      return nowMs;
    }
    this.#companyAtMs = this.#companyAtMs > nowMs ? this.#companyAtMs : nowMs + COMPANY_MS;
    return this.#companyAtMs;
  }

  #mark(entries: readonly Entry[], seq: number, atMs: number): readonly TaskStatus[] {
    for (const { status, dueAtMs } of entries) {
      this.#entries.set(status.id, { status, isSettled: false, dueAtMs, sent: { seq, atMs } });
      this.#unsent.delete(status.id);
      this.#underway.delete(status.id);
    }
    return entries.map(entry => entry.status);
  }
}

/** How long a step on the way to running, or to its end as wished, may last untold; undefined: it is no such step. Between two attempts none is: that is how an exit is told. */
function passingMsOf({ phase, attempt, reason, message }: TaskStatus): number | undefined {
  if (phase === 'stopping' && reason === 'stopped') {
    return PASSING_MS;
  }
  if (reason !== '' || message !== '') {
    return undefined;
  }
  return BUILDING.has(phase) ? PASSING_MS : phase === 'assigned' && attempt === 0 ? WAITING_MS : undefined;
}
