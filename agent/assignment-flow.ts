import { backoffMs } from '#kit/backoff.ts';
import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Assignment } from '#model/assignment.ts';
import type { TaskId } from '#model/ids.ts';
import type { Task } from '#model/task.ts';
import { foldAssignment, unlistedTasks, withoutTasks } from './assignment.ts';
import type { DesiredSet } from './assignment.ts';
import type { HeldAssignment, NodeFacts } from './ports.ts';
import { errorText, troubleOf } from './task/attempt-end.ts';
import { newRecord } from './task/record.ts';
import type { ReportBook } from './task/report-book.ts';
import { QUIET, statusOf } from './task/status.ts';

export interface AssignmentParts {
  readonly facts: Pick<NodeFacts, 'bootId' | 'node'>;
  /** The disk. */
  readonly held: HeldAssignment;
  readonly reports: ReportBook;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** The set is on its way to the disk, where it is once `kept` resolved: what is new in it may be made ready meanwhile. */
  readonly onSaving: (set: DesiredSet, kept: Promise<void>) => void;
  /** The set is on disk. `isConfirmed`: a full set of this session is in it. */
  readonly onKept: (set: DesiredSet, isConfirmed: boolean) => void;
  /** How long a task runs on that a full set does not list, in milliseconds. */
  readonly graceMs: () => number;
  /** Tasks say that they wait for the disk, or do so no more. */
  readonly onWaiting: () => void;
}

/** What an assignment needs of the session that it came in. */
export interface AssignmentSession {
  readonly signal: AbortSignal;
  /** Does the work after what else of the session waits. */
  readonly inOrder: (work: () => Promise<void>) => Promise<void>;
  readonly end: (why: string) => void;
}

/** An assignment that is not on disk. `isConfirmed`: a full set of this session is in it. */
interface Unsaved {
  readonly set: DesiredSet;
  readonly isConfirmed: boolean;
}

const SAVE_BACKOFF = { firstMs: 500, maxMs: 10_000 };

/**
 * The assignment in force, and the way of the next one to the disk.
 *
 * 1. Nothing is in force that is not on disk; while the disk takes what comes, it is told before it is there (`onSaving`). 2. What could not be written is offered again until it could, or the session ends; its tasks say so
 * meanwhile. 3. What a full set does not list, and nobody told to stop, runs on for a grace: a store that was restored from a backup does not know it,
 * and whoever restored it may want to (reliability B12).
 */
export class AssignmentKeeper {
  readonly #parts: AssignmentParts;
  #held: DesiredSet;
  /** The newest assignment of this session, while the disk does not take it. */
  #unsaved: Unsaved | undefined;
  #isSavingAgain = false;
  /** Tasks of the unsaved one that were told as waiting. */
  #waiting: ReadonlySet<TaskId> = new Set();
  /** Tasks that the newest full set did not list, and since when, on the monotonic clock. */
  #unlisted: ReadonlyMap<TaskId, number> = new Map();

  constructor(parts: AssignmentParts, held: DesiredSet) {
    this.#parts = parts;
    this.#held = held;
  }

  get held(): DesiredSet {
    return this.#held;
  }

  /** A new session begins, with a full set. */
  dropUnsaved(): void {
    this.#unsaved = undefined;
  }

  /** Nothing is assigned any more. @returns the set that says so, on disk */
  async empty(): Promise<DesiredSet> {
    this.#unlisted = new Map();
    const nothing: DesiredSet = { ...this.#held, tasks: new Map(), contents: new Map(), volumeRemovals: [] };
    await this.#parts.held.save(nothing);
    this.#held = nothing;
    return nothing;
  }

  /** Folds it in. False when something between is missing: only a full set helps. */
  async take(assignment: Assignment, session: AssignmentSession): Promise<boolean> {
    const before = this.#unsaved?.set ?? this.#held;
    const unlisted = this.#unlistedBy(before, assignment);
    const spared = assignment.kind === 'delta' ? new Set<TaskId>() : this.#inGrace(unlisted);
    const folding = foldAssignment(before, assignment, spared);
    if (folding.kind !== 'applied') {
      this.#parts.log.warn({ kind: folding.kind, reason: folding.reason }, 'assignment not taken');
      return folding.kind !== 'gap';
    }
    this.#unlisted = unlisted;
    await this.#adopt({ set: folding.set, isConfirmed: assignment.kind === 'full' || this.#unsaved?.isConfirmed === true }, session);
    if (spared.size > 0) {
      this.#parts.log.warn({ tasks: [...spared], graceMs: this.#parts.graceMs() }, 'the controller does not list tasks that run here and were not told to stop; they go after a grace');
      this.#forgetUnlisted(session).catch((error: unknown) => { if (!session.signal.aborted) session.end(errorText(error)); });
    }
    return true;
  }

  /** What is not listed, and since when, once the message is taken. A task that is not listed by the next full set either has no other grace. */
  #unlistedBy(before: DesiredSet, message: Assignment): ReadonlyMap<TaskId, number> {
    if (message.kind === 'delta') {
      const named = new Set([...message.removals, ...message.upserts.map(({ id }) => id)]);
      return new Map([...this.#unlisted].filter(([id]) => !named.has(id)));
    }
    const nowMs = this.#parts.clock.monotonicMs();
    return new Map(unlistedTasks(before, message).map(id => [id, this.#unlisted.get(id) ?? nowMs]));
  }

  #inGrace(unlisted: ReadonlyMap<TaskId, number>): ReadonlySet<TaskId> {
    const nowMs = this.#parts.clock.monotonicMs();
    return new Set([...unlisted].filter(([, sinceMs]) => nowMs - sinceMs < this.#parts.graceMs()).map(([id]) => id));
  }

  /** Each when its grace is over, unless the session ends before: the next one begins with a full set. */
  async #forgetUnlisted(session: AssignmentSession): Promise<void> {
    const { clock, graceMs } = this.#parts;
    while (this.#unlisted.size > 0) {
      await clock.sleep(Math.min(...this.#unlisted.values()) + graceMs() - clock.monotonicMs(), session.signal);
      await session.inOrder(async () => {
        const over = new Set([...this.#unlisted].filter(([, sinceMs]) => clock.monotonicMs() - sinceMs >= graceMs()).map(([id]) => id));
        this.#unlisted = new Map([...this.#unlisted].filter(([id]) => !over.has(id)));
        const { set, isConfirmed } = this.#unsaved ?? { set: this.#held, isConfirmed: true };
        await (over.size === 0 ? undefined : this.#adopt({ set: withoutTasks(set, over), isConfirmed }, session));
      });
    }
  }

  async #adopt(next: Unsaved, session: AssignmentSession): Promise<void> {
    const kept = this.#parts.held.save(next.set);
    if (this.#unsaved === undefined) this.#parts.onSaving(next.set, kept);
    try {
      await kept;
    } catch (error) {
      this.#parts.log.error({ err: error }, 'assignment could not be written; it is tried again');
      this.#unsaved = next;
      this.#tellWaiting([...next.set.tasks.values()].filter(({ id }) => !this.#held.tasks.has(id)), troubleOf(error));
      this.#saveAgain(session).catch((failure: unknown) => { if (!session.signal.aborted) session.end(errorText(failure)); });
      return;
    }
    this.#unsaved = undefined;
    this.#held = next.set;
    this.#tellWaiting([]);
    this.#parts.onKept(next.set, next.isConfirmed);
  }

  /** Until the disk takes the newest one, or the session ends: the next one begins with a full set. */
  async #saveAgain(session: AssignmentSession): Promise<void> {
    if (this.#isSavingAgain) {
      return;
    }
    this.#isSavingAgain = true;
    try {
      for (let failures = 1; this.#unsaved !== undefined; failures += 1) {
        await this.#parts.clock.sleep(backoffMs(SAVE_BACKOFF, failures, 0.5 + this.#parts.random() / 2), session.signal);
        await session.inOrder(async () => { await (this.#unsaved === undefined ? undefined : this.#adopt(this.#unsaved, session)); });
      }
    } finally {
      this.#isSavingAgain = false;
    }
  }

  /** Tasks that came with an unsaved assignment say what they wait for; those that went with it say nothing any more. */
  #tellWaiting(tasks: readonly Task[], why?: ReturnType<typeof troubleOf>): void {
    const { clock, facts, reports } = this.#parts;
    const waiting = new Set(tasks.map(({ id }) => id));
    const isKnown = (id: TaskId): boolean => waiting.has(id) || this.#held.tasks.has(id);
    this.#waiting.forEach(id => { if (!isKnown(id)) reports.drop(id); });
    this.#waiting = waiting;
    for (const task of tasks) {
      reports.take(statusOf(newRecord(task, 0, facts.bootId), { ...QUIET, ...why }, facts.node), clock.monotonicMs());
    }
    this.#parts.onWaiting();
  }
}
