import { resourcesKey, resourcesOf } from '#model/resources.ts';
import type { TaskResources } from '#model/resources.ts';
import type { ContainerEnd } from '../runtime/ports.ts';
import { bringUp, keepUp, takeDown } from './companion-phase.ts';
import type { CompanionAction, CompanionsObserved, CompanionStep } from './companion-phase.ts';
import type { TaskRecord } from './record.ts';

/** `gone`: no longer in the assignment. */
export type Desired = 'run' | 'stop' | 'gone';

/** What the loop sees besides the record. */
export interface Observed extends CompanionsObserved {
  /** The running container's end, once there is one. */
  readonly end?: ContainerEnd;
  readonly isUnhealthy: boolean;
  /** It wrote more into its root file systems than it may. */
  readonly isOverStorage?: boolean;
  /** The container's monitor died: its exit will not be seen. */
  readonly isMonitorLost: boolean;
  /** Set once the stop signal was sent to the running container, `sinceMs` ago. */
  readonly stopping?: { readonly sinceMs: number; readonly isKilled: boolean; readonly cause?: StopCause };
  /** Of an exclusive task: how long it may run yet without a controller's word; 0 or less: its time is over. */
  readonly cutOffInMs?: number;
  /** Somebody asked for the attempt's end at the container itself; absent `graceMs`: the task's own. */
  readonly askedStop?: { readonly graceMs?: number };
  /** A change of resources was refused; it is tried again then. Absent: none was. */
  readonly resizeNotBeforeMs?: number;
}

export type StopCause = 'stopped' | 'disconnected' | 'unhealthy' | 'monitor-lost' | 'timeout' | 'storage-exceeded';

/** What the loop remembers of a stop that it began. */
export interface Stopping {
  readonly cause: StopCause;
  readonly signalledAtMs: number;
  readonly isKilled: boolean;
}

export function stoppingSince(stopping: Stopping | undefined, monotonicMs: number): Pick<Observed, 'stopping'> {
  return stopping === undefined ? {} : { stopping: { sinceMs: monotonicMs - stopping.signalledAtMs, isKilled: stopping.isKilled, cause: stopping.cause } };
}

/** The next thing to do; each carries why. */
export type TaskAction =
  | { readonly kind: 'wait'; readonly untilMs?: number; readonly isUnkillable?: boolean; readonly reason: string }
  | { readonly kind: 'start'; readonly attempt: number; readonly reason: string }
  /** Gets what the companions of an attempt stand on. */
  | { readonly kind: 'prepare'; readonly attempt: number; readonly reason: string }
  | CompanionAction
  /** Records that the attempt failed before its main container. */
  | { readonly kind: 'settle-init'; readonly index: number; readonly reason: string }
  /** Ends an attempt that is not wanted any more before its main container. */
  | { readonly kind: 'give-up'; readonly reason: string }
  /** Sends the stop signal. */
  | { readonly kind: 'signal'; readonly cause: StopCause; readonly reason: string }
  /** Kills every process of the container. */
  | { readonly kind: 'kill'; readonly cause: StopCause; readonly reason: string }
  /** Stops its processes where they are, or lets them go on. */
  | { readonly kind: 'freeze' | 'thaw'; readonly reason: string }
  /** Holds the running container to what the task says now. */
  | { readonly kind: 'resize'; readonly resources: TaskResources; readonly reason: string }
  /** Decides what follows the end and records it. */
  | { readonly kind: 'settle'; readonly end: ContainerEnd; readonly reason: string }
  /** Takes away all that is left of the attempt. */
  | { readonly kind: 'clear'; readonly reason: string }
  /** Takes away what attempts share: network slot, files. Nothing will run again. */
  | { readonly kind: 'release'; readonly phase: 'complete' | 'failed'; readonly reason: string }
  | { readonly kind: 'forget'; readonly reason: string };

/** After an attempt that the machine has no room for now, until the next. */
export const OWN_RETRY_MS = 5_000;
/** How often a killed container that does not end is looked at. */
const KILLED_LOOK_MS = 1_000;
/** A process that outlives SIGKILL this long sits in the kernel (state D). */
const UNKILLABLE_MS = 5_000;

/** The task's state machine: what to do next, from values alone. Applying the answer and asking again leads to `wait` or `forget`. */
export function nextAction(desired: Desired, observed: Observed, nowMs: number): TaskAction {
  const { record } = observed;
  switch (record.step) {
    case 'preparing':
      return whilePreparing(desired, observed, nowMs);
    case 'building':
    case 'starting':
      return { kind: 'clear', reason: `attempt ${String(record.attempt)} was not started` };
    case 'running':
      return whileRunning(desired, observed, nowMs);
    case 'ended':
      return whileEnded(observed, nowMs);
    case 'idle':
      return whileIdle(desired, observed, nowMs);
    case 'finished':
      return desired === 'gone' ? { kind: 'forget', reason: 'no longer assigned' } : { kind: 'wait', reason: 'finished' };
  }
}

function whileRunning(desired: Desired, observed: Observed, nowMs: number): TaskAction {
  if (observed.end !== undefined) {
    return { kind: 'settle', end: observed.end, reason: 'the container ended' };
  }
  const dueMs = timeoutAtMs(observed.record);
  const cause = stopCause(desired, observed, dueMs !== undefined && nowMs >= dueMs);
  if (cause !== undefined) {
    return whileStopping(cause, desired, observed, nowMs);
  }
  const { record: { task, isFrozen } } = observed;
  if (isFrozen !== task.isPaused) {
    return task.isPaused ? { kind: 'freeze', reason: 'paused' } : { kind: 'thaw', reason: 'not paused' };
  }
  const beside = keepUp(observed, nowMs);
  if (beside.kind !== 'wait') {
    return asTaskAction(beside, observed);
  }
  return adjust(observed, [dueMs, beside.untilMs, observed.cutOffInMs === undefined ? undefined : nowMs + observed.cutOffInMs].filter(time => time !== undefined), nowMs);
}

/** Changes of limits reach a paused container too. */
function adjust({ record, resizeNotBeforeMs = 0 }: Observed, dueTimesMs: readonly number[], nowMs: number): TaskAction {
  const wanted = resourcesOf(record.task.container);
  const isHeld = record.resources !== undefined && resourcesKey(record.resources) === resourcesKey(wanted);
  if (!isHeld && resizeNotBeforeMs <= nowMs) {
    return { kind: 'resize', resources: wanted, reason: 'its resources changed' };
  }
  const wakesMs = [...dueTimesMs, ...(isHeld ? [] : [resizeNotBeforeMs])];
  return { kind: 'wait', ...(wakesMs.length === 0 ? {} : { untilMs: Math.min(...wakesMs) }), reason: record.isFrozen === true ? 'paused' : 'running' };
}

function whilePreparing(desired: Desired, observed: Observed, nowMs: number): TaskAction {
  if (desired !== 'run' || isCutOff(observed)) {
    return { kind: 'give-up', reason: desired !== 'run' ? 'stopped' : 'disconnected' };
  }
  const action = asTaskAction(bringUp(observed, nowMs), observed);
  const { record } = observed;
  return action.kind === 'start' && isTooEarly(record, nowMs) ? { kind: 'wait', untilMs: record.notBeforeMs, reason: record.reason } : action;
}

function whileEnded(observed: Observed, nowMs: number): TaskAction {
  const step = takeDown(observed, nowMs);
  return step.kind === 'ready' ? { kind: 'clear', reason: `attempt ${String(observed.record.attempt)} ended` } : asTaskAction(step, observed);
}

function asTaskAction(step: CompanionStep, { record }: Observed): TaskAction {
  switch (step.kind) {
    case 'ready':
      return { kind: 'start', attempt: record.attempt, reason: 'its companions are up' };
    case 'init-failed':
      return { kind: 'settle-init', index: step.index, reason: 'an init container failed' };
    default:
      return step;
  }
}

function timeoutAtMs({ task, startedAtMs }: TaskRecord): number | undefined {
  return task.timeoutMs === undefined || startedAtMs === undefined ? undefined : startedAtMs + task.timeoutMs;
}

function stopCause(desired: Desired, observed: Observed, isOverdue: boolean): StopCause | undefined {
  if (desired !== 'run' || observed.askedStop !== undefined) {
    return 'stopped';
  }
  if (observed.isMonitorLost) {
    return 'monitor-lost';
  }
  if (isCutOff(observed)) {
    return 'disconnected';
  }
  if (isOverdue) {
    return 'timeout';
  }
  if (observed.isOverStorage === true) {
    return 'storage-exceeded';
  }
  return observed.isUnhealthy && !observed.record.task.isPaused ? 'unhealthy' : undefined;
}

/** Also where a controller was heard again since it was told to stop. */
function isCutOff({ cutOffInMs, stopping }: Observed): boolean {
  return stopping?.cause === 'disconnected' || (cutOffInMs !== undefined && cutOffInMs <= 0);
}

function whileStopping(cause: StopCause, desired: Desired, observed: Observed, nowMs: number): TaskAction {
  const { record, stopping } = observed;
  if (record.isFrozen !== false) {
    return { kind: 'thaw', reason: 'a frozen process takes no signal' };
  }
  if (stopping === undefined && cause === 'storage-exceeded') {
    return { kind: 'kill', cause, reason: 'it would go on writing while it stops' };
  }
  if (stopping === undefined) {
    return { kind: 'signal', cause, reason: observed.askedStop !== undefined ? 'asked for at the container' : cause === 'stopped' ? record.task.reason : cause };
  }
  const leftMs = graceMs(desired, observed) - stopping.sinceMs;
  if (stopping.isKilled) {
    return { kind: 'wait', untilMs: nowMs + KILLED_LOOK_MS, isUnkillable: leftMs < -UNKILLABLE_MS, reason: 'killed; waiting for its end' };
  }
  return leftMs <= 0
    ? { kind: 'kill', cause, reason: 'the grace period is over' }
    : { kind: 'wait', untilMs: nowMs + leftMs, reason: 'in its grace period' };
}

/** What was asked for at the container, unless the controller wants it ended sooner. */
function graceMs(desired: Desired, { record, askedStop }: Observed): number {
  const { stopGracePeriodMs } = record.task.container;
  const askedMs = askedStop?.graceMs ?? stopGracePeriodMs;
  return desired === 'run' ? askedMs : Math.min(askedMs, stopGracePeriodMs);
}

function whileIdle(desired: Desired, observed: Observed, nowMs: number): TaskAction {
  const { record } = observed;
  if (desired !== 'run') {
    return { kind: 'release', phase: 'complete', reason: 'stopped' };
  }
  if (record.ending?.kind === 'finish') {
    return { kind: 'release', phase: record.ending.phase, reason: record.reason };
  }
  if (record.task.isPaused) {
    return { kind: 'wait', reason: 'paused' };
  }
  if (isTooEarly(record, nowMs)) {
    return { kind: 'wait', untilMs: record.notBeforeMs, reason: record.reason };
  }
  const kind = record.task.companions === undefined ? 'start' : 'prepare';
  return observed.mayStart
    ? { kind, attempt: record.attempt + 1, reason: record.attempt === 0 ? 'first attempt' : 'restart' }
    : { kind: 'wait', reason: 'waits for a controller to confirm the assignment' };
}

/** A wait longer than anything asks for means that the wall clock went back: it is not waited for. */
function isTooEarly(record: TaskRecord, nowMs: number): boolean {
  const { delayMs, maxAttempts } = record.task.container.restart;
  const longestMs = Math.max(OWN_RETRY_MS, delayMs * 2 ** Math.max(0, maxAttempts - 2));
  const leftMs = record.notBeforeMs - nowMs;
  return leftMs > 0 && leftMs <= longestMs;
}
