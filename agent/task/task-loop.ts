import { backoffMs } from '#kit/backoff.ts';
import type { AssignedContent } from '#model/assignment.ts';
import type { Task } from '#model/task.ts';
import type { ContainerEnd } from '../runtime/ports.ts';
import { contentKeysOf } from '../assignment.ts';
import { Doorbell } from '../doorbell-flow.ts';
import { afterClear, afterEnd, afterFailedInit, afterFailedStart, afterGivenUp, afterUncounted, errorText, pressureOf } from './attempt-end.ts';
import { CompanionCrew } from './companion-crew-flow.ts';
import { actOnCompanion } from './companion-flow.ts';
import type { CompanionWork } from './companion-flow.ts';
import { clearContainers, filesOf, isFirstAttempt, NotPermittedError, StartError } from './container-flow.ts';
import { HealthWatch } from './health-watch-flow.ts';
import { containerId } from './names.ts';
import { Adjuster } from './adjust-flow.ts';
import type { AdjustAction } from './adjust-flow.ts';
import { countOomKills, NO_OOM_KILLS } from './oom-kills.ts';
import { nextAction, OWN_RETRY_MS } from './phase.ts';
import type { CompanionAction } from './companion-phase.ts';
import type { Desired, Observed, TaskAction } from './phase.ts';
import type { TaskParts } from './ports.ts';
import { claimedContainers, lastAttempt, withCompanion, withoutAttempt } from './record.ts';
import type { TaskRecord } from './record.ts';
import { prepareAttempt, startAttempt } from './start-flow.ts';
import { QUIET, statusOf } from './status.ts';
import type { LiveState } from './status.ts';
import { Stopper } from './stop-flow.ts';

/** Between tries of a step that failed on our side: a full disk, a runtime that hangs. */
const RETRY_BACKOFF = { firstMs: 500, maxMs: 30_000 };
/** The status's word for output that a full disk did not take. */
const LOG_LINES_LOST = 'LogLinesLost';
/** Attempts whose logs stay, the newest among them. */
const KEPT_LOGS = 3;
/** What ends a container waits for no disk; all else builds on a record that is kept. */
const NEEDS_NO_RECORD: ReadonlySet<TaskAction['kind']> = new Set(['signal', 'kill', 'settle', 'signal-companion', 'thaw']);

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
  readonly #crew: CompanionCrew;
  readonly #health: HealthWatch;
  readonly #adjuster: Adjuster;
  readonly #stopper: Stopper;
  #record: TaskRecord;
  #desired: Desired;
  #contents: ReadonlyMap<string, AssignedContent> = new Map();
  #live: LiveState = QUIET;
  /** Aborted when the attempt that is being built is no longer wanted. */
  #building: AbortController | undefined;
  /** Aborted when the running attempt ended: its prober and its tunnels stop. */
  #attempt = new AbortController();
  /** The address that the proxy was told of by this process. */
  #admitted = '';
  #failures = 0;
  #oomKills = NO_OOM_KILLS;
  /** The attempt that wrote more than it may; 0: none. */
  #overStorageAttempt = 0;
  /** False when the disk did not take the newest record. */
  #isSaved = true;

  constructor(parts: TaskParts, record: TaskRecord, desired: Desired) {
    this.#parts = parts;
    this.#record = record;
    this.#desired = desired;
    this.#crew = new CompanionCrew(parts);
    this.#adjuster = new Adjuster(parts);
    this.#stopper = new Stopper(parts);
    this.#health = new HealthWatch(parts, ({ health, message }) => {
      this.#live = { ...this.#live, reason: health === 'unhealthy' ? 'Unhealthy' : '', message };
      this.wake();
    });
  }

  get record(): TaskRecord {
    return this.#record;
  }

  /** Aborts when the running attempt ended; has aborted when none runs. */
  get ended(): AbortSignal {
    return this.#record.step === 'running' ? this.#attempt.signal : AbortSignal.abort();
  }

  /** The same of a companion's run. */
  readonly companionEnded = (index: number): AbortSignal => this.#crew.endedOf(this.#record, index);

  /** Takes what the newest assignment says; `task` is absent when it is not in it any more. A task that a delta did not touch is the same object: nothing to look at. */
  desire(task: Task | undefined, contents: ReadonlyMap<string, AssignedContent>): void {
    const desired = task?.desired ?? 'gone';
    const hadSecrets = this.#hasSecrets();
    const isSame = task === this.#record.task && desired === this.#desired;
    this.#desired = desired;
    this.#contents = contents;
    if (isSame && this.#hasSecrets() === hadSecrets) return;
    if (task !== undefined) {
      this.#record = { ...this.#record, task };
      this.#adjuster.forget();
    }
    if (this.#desired !== 'run') this.#building?.abort(new Error('the task is to stop'));
    this.wake();
  }

  /** Something may have changed: look again. */
  wake(): void {
    this.#bell.ring();
  }

  /** Takes one count of the attempt's processes that the kernel killed for memory. */
  tellOomKills(attempt: number, count: number): void {
    if (this.record.step !== 'running' || this.record.attempt !== attempt || this.#stopper.cause !== undefined) return;
    const { kills, isNews } = countOomKills(this.#oomKills, attempt, count);
    this.#oomKills = kills;
    if (isNews) {
      this.#setLive({ ...this.#live, reason: 'OOMKilledChild', message: `the kernel killed ${String(count)} of its processes for memory; its first process goes on` });
    }
  }

  /** Ends the running attempt as a stop of the task does, and none follows it. */
  stop(graceMs: number | undefined): void {
    this.#stopper.ask(this.#record.attempt, graceMs);
    this.wake();
  }

  /** It goes on: whoever reads its log is told, as long as that is so. */
  tellLostOutput(attempt: number, message: string): void {
    const isTold = this.#live.reason === LOG_LINES_LOST;
    if (this.record.step !== 'running' || this.record.attempt !== attempt || this.#stopper.cause !== undefined || (message === '' && !isTold)) return;
    this.#setLive({ ...this.#live, reason: message === '' ? '' : LOG_LINES_LOST, message });
  }

  /** The attempt wrote more than it may: it is ended. */
  tellOverStorage(attempt: number, message: string): void {
    if (this.record.step !== 'running' || this.record.attempt !== attempt) return;
    this.#overStorageAttempt = attempt;
    this.#setLive({ ...this.#live, reason: 'storage-exceeded', message });
    this.wake();
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
      this.#attempt.abort();
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
      this.#report();
      if (!this.#isSaved && !NEEDS_NO_RECORD.has(action.kind)) {
        await this.#save(this.#record);
      }
      if (action.kind === 'wait') {
        this.#tellUnkillable(action.isUnkillable === true);
        await this.#bell.wait(action.untilMs === undefined ? undefined : action.untilMs - nowMs, this.#parts.clock, signal);
      } else {
        this.#parts.log.debug({ task: this.#record.task.id, action: action.kind, reason: action.reason }, 'task action');
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
    const record = this.#record;
    const mayStart = this.#parts.permit.mayStart(isFirstAttempt(record)) && this.#hasSecrets();
    const quiet = { record, isUnhealthy: false, isMonitorLost: false, mayStart, ...await this.#crew.observe(record) };
    if (record.step === 'preparing') {
      await this.#admit();
    }
    if (record.step !== 'running' || record.container === undefined) {
      return quiet;
    }
    this.#health.keep(record, this.#parts.clock.nowMs(), AbortSignal.any([signal, this.#attempt.signal]));
    await this.#admit();
    const end = await this.#parts.runtime.readEnd(containerId(record.task.id, record.attempt));
    if (end !== undefined) {
      return { ...quiet, end };
    }
    const isMonitorLost = !await this.#parts.runtime.isAlive(record.container.monitor) && await this.#parts.runtime.isAlive(record.container.container);
    return { ...quiet, isUnhealthy: this.#record.health === 'unhealthy', isOverStorage: this.#overStorageAttempt === record.attempt, isMonitorLost, ...this.#stopper.observe(record), ...this.#adjuster.observe() };
  }

  /** A started task was admitted before its start; for an adopted one it is done here. */
  async #admit(): Promise<void> {
    const address = this.#record.slot?.address ?? '';
    if (address !== this.#admitted) {
      await this.#parts.proxy.admit(address, this.#record.task);
      this.#admitted = address;
    }
  }

  /** Secrets are never on disk: after a reboot only a controller can send them again. */
  #hasSecrets(): boolean {
    return contentKeysOf(this.#record.task).secrets.every(key => this.#contents.has(key));
  }

  #tellUnkillable(isUnkillable: boolean): void {
    if (isUnkillable && this.#live.reason !== 'Unkillable') {
      this.#setLive({ ...this.#live, reason: 'Unkillable', message: 'unkillable (D state): killed, but the kernel does not end its processes; its resources stay taken' });
      this.#tell('warning', 'Unkillable', this.#live.message);
    }
  }

  async #act(action: Exclude<TaskAction, { readonly kind: 'wait' }>, signal: AbortSignal): Promise<void> {
    switch (action.kind) {
      case 'start':
        if (await this.#hasPorts()) await this.#start(action.attempt, signal);
        break;
      case 'signal':
        this.#setLive({ ...QUIET, isStopping: true, reason: action.cause, message: action.cause === 'unhealthy' ? this.#live.message : '' });
        await this.#stopper.signal(this.#record, action.cause);
        break;
      case 'kill':
        await this.#stopper.kill(this.#record, action.cause);
        break;
      case 'settle':
        await this.#settle(action.end);
        break;
      case 'clear':
        await this.#clear();
        break;
      case 'release':
        await this.#release(action.phase);
        break;
      case 'forget':
        await this.#parts.records.forget(this.#record.task.id);
        this.#parts.statuses.drop(this.#record.task.id);
        break;
      default:
        await this.#actBeside(action, signal);
    }
  }

  /** What changes a running container, and what tasks with companions do besides. */
  async #actBeside(action: CompanionAction | AdjustAction | Extract<TaskAction, { readonly kind: 'prepare' | 'give-up' | 'settle-init' }>, signal: AbortSignal): Promise<void> {
    switch (action.kind) {
      case 'prepare':
        if (await this.#hasPorts()) await this.#prepare(action.attempt, signal);
        break;
      case 'give-up':
        await this.#save(afterGivenUp(this.#record, this.#parts.clock.nowMs()));
        break;
      case 'settle-init':
        await this.#save(afterFailedInit(this.#record, action.index));
        this.#tell('warning', 'InitFailed', this.#record.message);
        break;
      case 'start-companion':
      case 'settle-companion':
      case 'clear-companion':
      case 'signal-companion':
        await actOnCompanion(action, this.#companionWork(signal), this.#parts, signal);
        break;
      default:
        await this.#adjust(action);
    }
  }

  /** False while a process of the machine has a port that the task publishes: the attempt waits, and nothing counts. */
  async #hasPorts(): Promise<boolean> {
    const taken = await this.#parts.hostPorts.taken(this.#record.task.container.ports);
    if (taken === undefined) return true;
    if (this.#record.reason !== 'HostPortTaken') this.#tell('warning', 'HostPortTaken', taken);
    this.#setLive(QUIET, { ...this.#record, notBeforeMs: this.#parts.clock.nowMs() + OWN_RETRY_MS, reason: 'HostPortTaken', message: taken });
    return false;
  }

  /** Its directory first: where the disk does not take that, nothing was begun. */
  async #start(attempt: number, signal: AbortSignal): Promise<void> {
    await this.#parts.records.makeLogs(this.#record.task.id);
    this.#begin(attempt);
    await this.#whileBuilding(async building => {
      const running = await startAttempt(this.#attemptStart(), this.#parts, building);
      this.#setLive(QUIET, running);
      this.#tell('normal', 'Started', `attempt ${String(attempt)} runs`);
      await this.#save(this.#record);
    }, signal);
  }

  async #prepare(attempt: number, signal: AbortSignal): Promise<void> {
    this.#begin(attempt);
    await this.#whileBuilding(async building => { await this.#save(await prepareAttempt(this.#attemptStart(), this.#parts, building)); }, signal);
  }

  #begin(attempt: number): void {
    this.#record = { ...withoutAttempt(this.#record), attempt, step: 'building', bootId: this.#parts.bootId, reason: '', message: '' };
  }

  #attemptStart(): Parameters<typeof startAttempt>[0] {
    return {
      record: this.#record,
      contents: this.#contents,
      save: async record => { await this.#save(record); },
      onProgress: (phase, reason, message) => { this.#setLive({ building: phase, isStopping: false, reason, message }); },
    };
  }

  /** Work that a stop of the task ends at once; what it throws is the end of the attempt. */
  async #whileBuilding(work: (building: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const building = new AbortController();
    this.#building = building;
    try {
      await work(AbortSignal.any([signal, building.signal]));
    } catch (error) {
      signal.throwIfAborted();
      await this.#afterStartThrew(error, building.signal);
    } finally {
      this.#building = undefined;
      this.#live = QUIET;
    }
  }

  #companionWork(signal: AbortSignal): CompanionWork {
    return {
      crew: this.#crew,
      record: () => this.#record,
      contents: this.#contents,
      save: async (index, companion) => {
        await this.#save(withCompanion(this.#record, index, companion));
        this.#report();
      },
      tell: (type, reason, message) => { this.#tell(type, reason, message); },
      whileBuilding: async work => { await this.#whileBuilding(work, signal); },
    };
  }

  async #afterStartThrew(error: unknown, building: AbortSignal): Promise<void> {
    if (this.#record.step === 'running') {
      throw error;
    }
    const nowMs = this.#parts.clock.nowMs();
    const uncounted = afterUncounted(this.#record, { error, isUnwanted: building.aborted || error instanceof NotPermittedError }, nowMs);
    if (uncounted !== undefined) {
      await this.#save(uncounted);
      return;
    }
    const reason = error instanceof StartError ? error.reason : 'StartFailed';
    this.#parts.log.warn({ task: this.#record.task.id, attempt: this.#record.attempt, err: error }, 'attempt did not start');
    this.#tell('warning', reason, errorText(error));
    await this.#save(afterFailedStart({ ...this.#record, reason }, error, nowMs));
  }

  /** A probe of a container that stands still says nothing of it. */
  async #adjust(action: AdjustAction): Promise<void> {
    if (action.kind !== 'resize') this.#health.reset();
    await this.#adjuster.carryOut(action, { record: this.#record, save: async record => { await this.#save(record); } });
  }

  async #settle(end: ContainerEnd): Promise<void> {
    const settled = afterEnd(this.#record, end, this.#stopper.cause);
    this.#attempt.abort();
    this.#attempt = new AbortController();
    this.#health.reset();
    this.#adjuster.forget();
    this.#stopper.forget();
    this.#live = QUIET;
    this.#tell(end.code === 0 ? 'normal' : 'warning', 'Exited', `attempt ${String(settled.attempt)}: ${settled.lastExit?.reason ?? ''}, code ${String(end.code)}`);
    await this.#save(settled);
  }

  /** All of an attempt goes by its names, each part whatever the others do. */
  async #clear(): Promise<void> {
    const { task, attempt } = this.#record;
    await clearContainers(claimedContainers(this.#record), this.#parts);
    this.#crew.dismiss();
    await this.#parts.records.dropLogs(task.id, log => log.attempt <= attempt - KEPT_LOGS);
    await this.#save(afterClear(this.#record));
  }

  async #release(phase: 'complete' | 'failed'): Promise<void> {
    const { slot, deviceUnits: _, ...rest } = this.#record;
    this.#parts.devices.release(this.#record.task.id);
    for (const { key } of filesOf(this.#record.task)) await this.#parts.volumes.remove(key);
    if (slot !== undefined) {
      await this.#parts.proxy.dismiss(slot.address);
      await this.#parts.network.release(slot.id);
    }
    const isStopped = this.#desired !== 'run';
    await this.#save({ ...rest, attempt: lastAttempt(this.#record), step: 'finished', ending: { kind: 'finish', phase }, ...(isStopped ? { reason: 'stopped', message: '' } : {}) });
    this.#tell(phase === 'failed' ? 'warning' : 'normal', phase === 'failed' ? 'Failed' : 'Finished', this.#record.message === '' ? this.#record.reason : this.#record.message);
  }

  /** Saved by the loop alone, so that the record has one writer. A prober that begins anew does not take back what was known. */
  async #saveVerdict(): Promise<void> {
    const health = this.#health.take();
    if (health === undefined || health === 'starting' || health === this.#record.health || this.#record.step !== 'running') {
      return;
    }
    this.#tell(health === 'healthy' ? 'normal' : 'warning', health === 'healthy' ? 'Healthy' : 'Unhealthy', this.#live.message);
    this.#setLive(this.#live, { ...this.#record, health });
    await this.#save(this.#record);
  }

  async #afterFailure(error: unknown, signal: AbortSignal): Promise<void> {
    this.#failures += 1;
    this.#parts.log.error({ task: this.#record.task.id, attempt: this.#record.attempt, step: this.#record.step, err: error }, 'task step did not work; it is tried again');
    this.#setLive({ ...this.#live, ...(pressureOf(error) ?? { reason: 'NodeTrouble', message: errorText(error) }) });
    await this.#bell.wait(backoffMs(RETRY_BACKOFF, this.#failures, 0.5 + this.#parts.random() / 2), this.#parts.clock, signal);
    this.#live = { ...this.#live, reason: '', message: '' };
  }

  async #save(record: TaskRecord): Promise<void> {
    this.#record = { ...record, task: this.#record.task };
    this.#isSaved = false;
    await this.#parts.records.save(this.#record);
    this.#isSaved = true;
  }

  #setLive(live: LiveState, record: TaskRecord = this.#record): void {
    this.#live = live;
    this.#record = { ...record, task: this.#record.task };
    this.#report();
  }

  #report(): void {
    this.#parts.statuses.report(statusOf(this.#record, this.#adjuster.tellRefusal(this.#live), this.#parts.node));
  }

  #tell(type: 'normal' | 'warning', reason: string, message: string): void {
    this.#parts.events.happened({ type, task: this.#record.task, reason, message });
  }
}
