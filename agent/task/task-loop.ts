import { backoffMs } from '#kit/backoff.ts';
import type { AssignedContent } from '#model/assignment.ts';
import type { Task } from '#model/task.ts';
import type { ContainerEnd } from '../runtime/ports.ts';
import { contentKeysOf } from '../assignment.ts';
import { Doorbell } from '../doorbell-flow.ts';
import { Adjuster } from './adjust-flow.ts';
import type { AdjustAction } from './adjust-flow.ts';
import { afterEnd, afterFailedInit, afterGivenUp, troubleOf } from './attempt-end.ts';
import { AttemptNews } from './attempt-news-flow.ts';
import { AttemptBuilder } from './build-flow.ts';
import { clearAttempt, releaseTask } from './clear-flow.ts';
import { CompanionCrew } from './companion-crew-flow.ts';
import type { CompanionAction } from './companion-phase.ts';
import { mayStart } from './container-flow.ts';
import { HealthWatch } from './health-watch-flow.ts';
import { containerId } from './names.ts';
import { nextAction } from './phase.ts';
import type { Desired, Observed, TaskAction } from './phase.ts';
import type { TaskParts } from './ports.ts';
import type { TaskRecord } from './record.ts';
import { QUIET } from './status.ts';
import { Stopper } from './stop-flow.ts';
import { TaskBook } from './task-book-flow.ts';

/** Between tries of a step that failed on our side: a full disk, a runtime that hangs. */
const RETRY_BACKOFF = { firstMs: 500, maxMs: 30_000 };
/** What ends a container waits for no disk, and what was cleared away is cleared once more where nobody knows that it was; all else builds on a record that is kept. */
const NEEDS_NO_RECORD: ReadonlySet<TaskAction['kind']> = new Set(['signal', 'kill', 'settle', 'signal-companion', 'thaw', 'release', 'forget']);
/** Made once: an abort without a reason makes a DOMException, with its stack. */
const ATTEMPT_OVER = new Error('the attempt is over');

/**
 * One task from assignment to removal: look, decide (phase.ts), do one thing, again. The only writer of the task's record and status.
 *
 * 1. Every action is safe to repeat: a crash or a failure between two leads back to the same decision. 2. An attempt that is being
 * built ends at once when the task is to stop. 3. `run` ends when nothing is left of the task, or with the signal; the signal leaves a
 * running container alone.
 */
export class TaskLoop {
  readonly #parts: TaskParts;
  readonly #bell = new Doorbell();
  readonly #book: TaskBook;
  readonly #crew: CompanionCrew;
  readonly #builder: AttemptBuilder;
  readonly #health: HealthWatch;
  readonly #adjuster: Adjuster;
  readonly #stopper: Stopper;
  readonly #news: AttemptNews;
  #desired: Desired;
  #contents: ReadonlyMap<string, AssignedContent> = new Map();
  /** Aborted when the running attempt ended: its prober and its tunnels stop. */
  #attempt = new AbortController();
  /** `foreseen`: the assignment that it came with is on its way to the disk; `not-kept`: it did not get there, so nothing is begun. */
  #standing: { readonly kind: 'in-force' } | { readonly kind: 'foreseen'; readonly kept: Promise<void> } | { readonly kind: 'not-kept' } = { kind: 'in-force' };
  /** The address that the proxy was told of by this process. */
  #admitted = '';
  #failures = 0;

  /** `foreseen`: what it needs, and the way to the disk of the first assignment that has it; absent: one in force has it. */
  constructor(parts: TaskParts, record: TaskRecord, desired: Desired, foreseen?: { readonly contents: ReadonlyMap<string, AssignedContent>; readonly kept: Promise<void> }) {
    this.#parts = parts;
    this.#desired = desired;
    this.#adjuster = new Adjuster(parts);
    this.#book = new TaskBook(parts, record, this.#adjuster);
    this.#crew = new CompanionCrew(parts);
    this.#builder = new AttemptBuilder(parts, this.#book, this.#crew);
    this.#stopper = new Stopper(parts);
    this.#news = new AttemptNews(this.#book, this.#stopper);
    this.#health = new HealthWatch(parts, ({ health, message }) => {
      this.#book.live = { ...this.#book.live, reason: health === 'unhealthy' ? 'Unhealthy' : '', message };
      this.wake();
    });
    if (foreseen !== undefined) {
      const { contents, kept } = foreseen;
      this.#contents = contents;
      const standing = { kind: 'foreseen' as const, kept };
      this.#standing = standing;
      kept.catch(() => { if (this.#standing === standing) this.#standing = { kind: 'not-kept' }; });
    }
  }

  get record(): TaskRecord {
    return this.#book.record;
  }

  /** Aborts when the running attempt ended; has aborted when none runs. */
  get ended(): AbortSignal {
    return this.record.step === 'running' ? this.#attempt.signal : AbortSignal.abort();
  }

  /** The same of a companion's run. */
  readonly companionEnded = (index: number): AbortSignal => this.#crew.endedOf(this.record, index);

  /** Takes what the newest assignment says; `task` is absent when it is not in it any more. A task that a delta did not touch is the same object: nothing to look at. */
  desire(task: Task | undefined, contents: ReadonlyMap<string, AssignedContent>): void {
    const desired = task?.desired ?? 'gone';
    const hadSecrets = this.#hasSecrets();
    const isSame = task === this.record.task && desired === this.#desired && this.#standing.kind === 'in-force';
    this.#standing = { kind: 'in-force' };
    this.#desired = desired;
    this.#contents = contents;
    if (isSame && this.#hasSecrets() === hadSecrets) return;
    if (task !== undefined) {
      this.#book.setTask(task);
      this.#adjuster.forget();
    }
    if (this.#desired !== 'run') this.#builder.abandon();
    this.wake();
  }

  /** Something may have changed: look again. */
  wake(): void {
    this.#bell.ring();
  }

  /** Takes one count of the attempt's processes that the kernel killed for memory. */
  tellOomKills(attempt: number, count: number): void {
    this.#news.oomKills(attempt, count);
  }

  /** Ends the running attempt as a stop of the task does, and none follows it. */
  stop(graceMs: number | undefined): void {
    this.#stopper.ask(this.record.attempt, graceMs);
    this.wake();
  }

  /** It goes on: whoever reads its log is told, as long as that is so. */
  tellLostOutput(attempt: number, message: string): void {
    this.#news.lostOutput(attempt, message);
  }

  /** The attempt wrote more than it may: it is ended. */
  tellOverStorage(attempt: number, message: string): void {
    if (this.#news.overStorage(attempt, message)) this.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        if (await this.#turn(signal)) {
          return;
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#attempt.abort(ATTEMPT_OVER);
      this.#crew.dismiss();
    }
  }

  /** One look and one action; true when the task is forgotten. */
  async #turn(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#saveVerdict();
      const observed = await this.#observe(signal);
      const nowMs = this.#parts.clock.nowMs();
      const action = nextAction(this.#desired, observed, nowMs);
      this.#book.report();
      const saveInMs = this.#book.saveInMs;
      if (saveInMs !== undefined && !NEEDS_NO_RECORD.has(action.kind) && (saveInMs === 0 || action.kind !== 'wait')) {
        await this.#book.save(this.record);
      }
      if (action.kind === 'wait') {
        if (action.isUnkillable === true) this.#news.unkillable();
        await this.#bell.wait(soonest(action.untilMs === undefined ? undefined : action.untilMs - nowMs, this.#book.saveInMs), this.#parts.clock, signal);
      } else {
        this.#parts.log.debug({ task: this.record.task.id, action: action.kind, reason: action.reason }, 'task action');
        await this.#act(action, signal);
      }
      this.#failures = 0;
      return action.kind === 'forget';
    } catch (error) {
      signal.throwIfAborted();
      await this.#afterFailure(error, signal);
      return false;
    }
  }

  async #observe(signal: AbortSignal): Promise<Observed> {
    const { record } = this;
    const { permit } = this.#parts;
    const { stopAfterMs } = record.task;
    const quiet = {
      record, isUnhealthy: false, isMonitorLost: false, mayStart: this.#standing.kind !== 'not-kept' && mayStart(record, this.#parts) && this.#hasSecrets(), ...await this.#crew.observe(record),
      ...(stopAfterMs === undefined ? {} : { cutOffInMs: permit.untilCutOffMs(stopAfterMs) }),
    };
    if (record.step === 'preparing') {
      await this.#admit();
    }
    if (record.step !== 'running' || record.container === undefined) {
      return quiet;
    }
    this.#health.keep(record, this.#parts.clock.nowMs(), [signal, this.#attempt.signal]);
    await this.#admit();
    const end = await this.#parts.runtime.readEnd(containerId(record.task.id, record.attempt));
    if (end !== undefined) {
      return { ...quiet, end };
    }
    const isMonitorLost = !await this.#parts.runtime.isAlive(record.container.monitor) && await this.#parts.runtime.isAlive(record.container.container);
    return {
      ...quiet, isUnhealthy: this.record.health === 'unhealthy', isOverStorage: this.#news.isOverStorage(record.attempt), isMonitorLost,
      ...this.#stopper.observe(record), ...this.#adjuster.observe(),
    };
  }

  /** A started task was admitted before its start; for an adopted one it is done here. */
  async #admit(): Promise<void> {
    const address = this.record.slot?.address ?? '';
    if (address !== this.#admitted) {
      await this.#parts.proxy.admit(address, this.record.task);
      this.#admitted = address;
    }
  }

  /** Secrets are never on disk: after a reboot only a controller can send them again. */
  #hasSecrets(): boolean {
    return contentKeysOf(this.record.task).secrets.every(key => this.#contents.has(key));
  }

  async #act(action: Exclude<TaskAction, { readonly kind: 'wait' }>, signal: AbortSignal): Promise<void> {
    switch (action.kind) {
      case 'start':
        await this.#builder.start(action.attempt, { contents: this.#contents, kept: this.#standing.kind === 'foreseen' ? this.#standing.kept : Promise.resolve() }, signal);
        break;
      case 'signal':
        this.#book.setLive({ ...QUIET, isStopping: true, reason: action.cause, message: action.cause === 'unhealthy' ? this.#book.live.message : '' });
        await this.#stopper.signal(this.record, action.cause);
        break;
      case 'kill':
        await this.#stopper.kill(this.record, action.cause);
        break;
      case 'settle':
        await this.#settle(action.end);
        break;
      case 'clear':
        await clearAttempt(this.#book, this.#crew, this.#parts);
        break;
      case 'release':
        await releaseTask(this.#book, { phase: action.phase, isStopped: this.#desired !== 'run' }, this.#parts);
        break;
      case 'forget':
        await this.#parts.records.forget(this.record.task.id);
        this.#parts.statuses.drop(this.record.task.id);
        break;
      default:
        await this.#actBeside(action, signal);
    }
  }

  /** What changes a running container, and what tasks with companions do besides. */
  async #actBeside(action: CompanionAction | AdjustAction | Extract<TaskAction, { readonly kind: 'prepare' | 'give-up' | 'settle-init' }>, signal: AbortSignal): Promise<void> {
    switch (action.kind) {
      case 'prepare':
        await this.#builder.prepare(action.attempt, this.#contents, signal);
        break;
      case 'give-up':
        await this.#book.save(afterGivenUp(this.record, this.#parts.clock.nowMs()));
        break;
      case 'settle-init':
        await this.#settleInit(action.index);
        break;
      case 'start-companion':
      case 'settle-companion':
      case 'clear-companion':
      case 'signal-companion':
        await this.#builder.actOnCompanion(action, this.#contents, signal);
        break;
      default:
        await this.#adjust(action);
    }
  }

  /** What the deadman killed has not failed. */
  async #settleInit(index: number): Promise<void> {
    const { task, attempt } = this.record;
    if (this.#parts.deadman.hasKilled(task.id, attempt)) {
      await this.#book.save(afterGivenUp(this.record, this.#parts.clock.nowMs()));
      return;
    }
    await this.#book.save(afterFailedInit(this.record, index));
    this.#book.tell('warning', 'InitFailed', this.record.message);
  }

  /** A probe of a container that stands still says nothing of it. */
  async #adjust(action: AdjustAction): Promise<void> {
    if (action.kind !== 'resize') this.#health.reset();
    await this.#adjuster.carryOut(action, { record: this.record, save: async record => { await this.#book.save(record); } });
  }

  async #settle(end: ContainerEnd): Promise<void> {
    const { task, attempt } = this.record;
    const settled = afterEnd(this.record, end, this.#stopper.cause ?? (this.#parts.deadman.hasKilled(task.id, attempt) ? 'disconnected' : undefined));
    this.#attempt.abort(ATTEMPT_OVER);
    this.#attempt = new AbortController();
    this.#health.reset();
    this.#adjuster.forget();
    this.#stopper.forget();
    this.#book.live = QUIET;
    this.#book.tell(end.code === 0 ? 'normal' : 'warning', 'Exited', `attempt ${String(settled.attempt)}: ${settled.lastExit?.reason ?? ''}, code ${String(end.code)}`);
    await this.#book.save(settled);
  }

  /** Saved by the loop alone, so that the record has one writer. A prober that begins anew does not take back what was known. */
  async #saveVerdict(): Promise<void> {
    const health = this.#health.take();
    if (health === undefined || health === 'starting' || health === this.record.health || this.record.step !== 'running') {
      return;
    }
    this.#book.tell(health === 'healthy' ? 'normal' : 'warning', health === 'healthy' ? 'Healthy' : 'Unhealthy', this.#book.live.message);
    this.#book.setLive(this.#book.live, { ...this.record, health });
    await this.#book.save(this.record);
  }

  async #afterFailure(error: unknown, signal: AbortSignal): Promise<void> {
    const { task, attempt, step } = this.record;
    this.#failures += 1;
    this.#parts.log.error({ task: task.id, attempt, step, err: error }, 'task step did not work; it is tried again');
    this.#book.setLive({ ...this.#book.live, ...troubleOf(error) });
    await this.#bell.wait(backoffMs(RETRY_BACKOFF, this.#failures, 0.5 + this.#parts.random() / 2), this.#parts.clock, signal);
    this.#book.live = { ...this.#book.live, reason: '', message: '' };
  }
}

function soonest(...waitsMs: readonly (number | undefined)[]): number | undefined {
  const known = waitsMs.filter(ms => ms !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
