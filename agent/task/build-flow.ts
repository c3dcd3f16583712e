import type { AssignedContent } from '#model/assignment.ts';
import { afterFailedStart, afterUncounted, errorText, policyOf } from './attempt-end.ts';
import type { CompanionCrew } from './companion-crew-flow.ts';
import { actOnCompanion } from './companion-flow.ts';
import type { CompanionAction } from './companion-phase.ts';
import { NotPermittedError, StartError } from './container-flow.ts';
import { OWN_RETRY_MS } from './phase.ts';
import type { TaskParts } from './ports.ts';
import { withCompanion, withoutAttempt } from './record.ts';
import { prepareAttempt, startAttempt } from './start-flow.ts';
import type { AttemptStart } from './start-flow.ts';
import { QUIET } from './status.ts';
import type { TaskBook } from './task-book-flow.ts';

type Contents = ReadonlyMap<string, AssignedContent>;

/** Builds the attempts of one task, companions and main container, and records what came of it. What a step throws is the end of the attempt. */
export class AttemptBuilder {
  readonly #parts: TaskParts;
  readonly #book: TaskBook;
  readonly #crew: CompanionCrew;
  /** Aborted when the attempt that is being built is no longer wanted. */
  #building: AbortController | undefined;

  constructor(parts: TaskParts, book: TaskBook, crew: CompanionCrew) {
    this.#parts = parts;
    this.#book = book;
    this.#crew = crew;
  }

  /** The task is to stop: what is being built ends at once. */
  abandon(): void {
    this.#building?.abort(new Error('the task is to stop'));
  }

  /** Its directory first: where the disk does not take that, nothing was begun. What comes of it is recorded once the assignment is `kept`; one that is not ends the attempt uncounted. */
  async start(attempt: number, from: { readonly contents: Contents; readonly kept: Promise<void> }, signal: AbortSignal): Promise<void> {
    // Of all that a start waits for this takes longest, and needs nothing else.
    this.#parts.cgroups.expectMove();
    if (!await this.#canBegin() || !this.#isGuarded(attempt)) return;
    await this.#parts.records.makeLogs(this.#book.record.task.id);
    this.#begin(attempt);
    const kept = from.kept.catch((error: unknown) => { throw new NotPermittedError('the assignment did not get to the disk', { cause: error }); });
    kept.catch(() => { /* it may be waited for later, or not at all */ });
    await this.#whileBuilding(async building => {
      const running = await startAttempt({ ...this.#attemptStart(from.contents), kept }, this.#parts, building).catch(async (error: unknown) => {
        await kept;
        throw error;
      });
      this.#book.setLive(QUIET, running);
      this.#book.tell('normal', 'Started', `attempt ${String(attempt)} runs`);
      // What a machine that goes down leaves unsaid may only be said by one more start where one follows anyway.
      if (policyOf(this.#book.record.task).mode === 'always') {
        this.#book.saveSoon(this.#book.record);
      } else {
        await this.#book.save(this.#book.record);
      }
    }, signal);
  }

  /** What the companions stand on, before any of them. */
  async prepare(attempt: number, contents: Contents, signal: AbortSignal): Promise<void> {
    if (!await this.#canBegin() || !this.#isGuarded(attempt)) return;
    this.#begin(attempt);
    await this.#whileBuilding(async building => { await this.#book.save(await prepareAttempt(this.#attemptStart(contents), this.#parts, building)); }, signal);
  }

  async actOnCompanion(action: CompanionAction, contents: Contents, signal: AbortSignal): Promise<void> {
    await actOnCompanion(action, {
      crew: this.#crew,
      record: () => this.#book.record,
      contents,
      save: async (index, companion) => {
        await this.#book.save(withCompanion(this.#book.record, index, companion));
        this.#book.report();
      },
      tell: (type, reason, message) => { this.#book.tell(type, reason, message); },
      whileBuilding: async work => { await this.#whileBuilding(work, signal); },
    }, this.#parts, signal);
  }

  /** False while the machine has no place for any container, or a process of it has a port that the task publishes: the attempt waits, and nothing counts. */
  async #canBegin(): Promise<boolean> {
    const obstacle = await this.#obstacle();
    if (obstacle !== undefined) this.#putOff(...obstacle);
    return obstacle === undefined;
  }

  /** Reason and message. */
  async #obstacle(): Promise<readonly [string, string] | undefined> {
    const { runtime, networkProblem, hostPorts } = this.#parts;
    const unready = runtime.problem();
    if (unready !== undefined) return ['RuntimeNotReady', unready];
    const fault = networkProblem();
    if (fault !== undefined) return ['NetworkNotReady', fault];
    const taken = await hostPorts.taken(this.#book.record.task.container.ports);
    return taken === undefined ? undefined : ['HostPortTaken', taken];
  }

  /** False while nothing would end an exclusive task in this agent's stead. */
  #isGuarded(attempt: number): boolean {
    const isGuarded = this.#parts.deadman.guard(this.#book.record.task, attempt);
    if (!isGuarded) this.#putOff('NoDeadman', 'no gantry-deadman is at work on this node, which would stop the task when the agent cannot; start it');
    return isGuarded;
  }

  #putOff(reason: string, message: string): void {
    const { record } = this.#book;
    if (record.reason !== reason) this.#book.tell('warning', reason, message);
    this.#book.setLive(QUIET, { ...record, notBeforeMs: this.#parts.clock.nowMs() + OWN_RETRY_MS, reason, message });
  }

  #begin(attempt: number): void {
    this.#book.put({ ...withoutAttempt(this.#book.record), attempt, step: 'building', bootId: this.#parts.bootId, reason: '', message: '' });
  }

  #attemptStart(contents: Contents): AttemptStart {
    return {
      record: this.#book.record,
      contents,
      save: async record => { await this.#book.save(record); },
      note: record => { this.#book.put(record); },
      onProgress: (phase, reason, message) => { this.#book.setLive({ building: phase, isStopping: false, reason, message }); },
    };
  }

  /** Work that a stop of the task ends at once. */
  async #whileBuilding(work: (building: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const building = new AbortController();
    this.#building = building;
    try {
      await work(AbortSignal.any([signal, building.signal]));
    } catch (error) {
      signal.throwIfAborted();
      await this.#afterThrew(error, building.signal);
    } finally {
      this.#building = undefined;
      this.#book.live = QUIET;
    }
  }

  /** @throws the error of a step that came after the start: the container runs */
  async #afterThrew(error: unknown, building: AbortSignal): Promise<void> {
    const { record } = this.#book;
    if (record.step === 'running') {
      throw error;
    }
    const nowMs = this.#parts.clock.nowMs();
    const uncounted = afterUncounted(record, { error, isUnwanted: building.aborted || error instanceof NotPermittedError }, nowMs);
    if (uncounted !== undefined) {
      await this.#book.save(uncounted);
      return;
    }
    const reason = error instanceof StartError ? error.reason : 'StartFailed';
    this.#parts.log.warn({ task: record.task.id, attempt: record.attempt, err: error }, 'attempt did not start');
    this.#book.tell('warning', reason, errorText(error));
    await this.#book.save(afterFailedStart({ ...record, reason }, error, nowMs));
  }
}
