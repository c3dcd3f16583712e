import { describeCompanion } from '#model/companion.ts';
import { ClusterError, isClusterError } from '#model/errors.ts';
import { printable } from '#model/printable.ts';
import type { RestartPolicy } from '#model/service.ts';
import type { Task, TaskExit } from '#model/task.ts';
import { DISK_PRESSURE, isDiskPressure } from '../disk-pressure.ts';
import { NODE_PRESSURE, shortageText } from '../shortage.ts';
import { CommandError } from '../runtime/command-rules.ts';
import type { ContainerEnd } from '../runtime/ports.ts';
import { OWN_RETRY_MS } from './phase.ts';
import type { StopCause } from './phase.ts';
import { companionOf, withoutAttempt } from './record.ts';
import type { CompanionRecord, Ending, TaskRecord } from './record.ts';
import { decideRestart, decideSidecarRestart } from './restart-decision.ts';
import type { AttemptEnd } from './restart-decision.ts';

/** 128 + signal is how a death by a signal is told. Source: bash(1), "EXIT STATUS" */
const SIGNAL_BASE = 128;
/** The usual ends by signal. Source: signal(7), x86 and ARM numbers */
const SIGNAL_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'HUP'], [2, 'INT'], [3, 'QUIT'], [4, 'ILL'], [6, 'ABRT'], [7, 'BUS'], [8, 'FPE'], [9, 'KILL'], [11, 'SEGV'], [13, 'PIPE'], [14, 'ALRM'],
  [15, 'TERM'], [24, 'XCPU'], [31, 'SYS'],
]);
const MAX_MESSAGE_LENGTH = 500;
/** How far a file's time is behind the clock: a timer tick at HZ=100. Source: clock_getres(2), CLOCK_REALTIME_COARSE; inode_set_ctime_current, Linux fs/inode.c */
const FILE_CLOCK_LAG_MS = 10;

/** The record after its running container ended: what the exit was, and what follows by the restart policy. `cause`: why we stopped it, if we did. */
export function afterEnd(record: TaskRecord, seen: ContainerEnd, cause: StopCause | undefined): TaskRecord {
  const end = { ...seen, finishedAtMs: notBeforeStart(seen.finishedAtMs, record.startedAtMs) };
  const exit: TaskExit = { attempt: record.attempt, code: end.code, reason: exitReason(end, cause), finishedAtMs: end.finishedAtMs, ...(end.hadChildOom === true ? { hadChildOom: true } : {}) };
  if (cause === 'stopped') {
    return { ...record, step: 'ended', lastExit: exit, finishedAtMs: end.finishedAtMs, ending: { kind: 'finish', phase: 'complete' }, reason: 'stopped', message: '' };
  }
  if (cause === 'disconnected') {
    return afterCutOff(record, exit);
  }
  // What we had to end was no success, whatever code the program chose.
  const counted = cause === undefined ? end.code : null;
  return byPolicy(record, exit, { code: counted, finishedAtMs: end.finishedAtMs }, exitText(exit, end.reason));
}

/** Nothing that the policy counts: the task goes on once a controller says that it is still its node's. */
function afterCutOff(record: TaskRecord, exit: TaskExit): TaskRecord {
  return {
    ...record, step: 'ended', lastExit: exit, finishedAtMs: exit.finishedAtMs, restarts: record.restarts + 1,
    ending: { kind: 'restart', notBeforeMs: exit.finishedAtMs }, reason: 'disconnected', message: 'no controller was heard for stop_after; it goes on once one says so',
  };
}

/** The time of an end is a file's: it is put after the start where only the lag of file times has it before. A clock that was set back is left alone. */
function notBeforeStart(finishedAtMs: number, startedAtMs = 0): number {
  const isLag = finishedAtMs < startedAtMs && startedAtMs - finishedAtMs <= FILE_CLOCK_LAG_MS;
  return isLag ? startedAtMs : finishedAtMs;
}

/**
 * The record after an attempt that could not be started: the policy counts it like a failed exit. A command that cannot be executed has a shell's code.
 * What the task itself asks for and can never have, an unknown user or a value that the kernel refuses, fails the task at once.
 */
export function afterFailedStart(record: TaskRecord, error: unknown, nowMs: number): TaskRecord {
  const cause = error instanceof Error && error.cause instanceof CommandError ? error.cause : error;
  const code = cause instanceof CommandError ? cause.exitCode : null;
  const exit: TaskExit = { attempt: record.attempt, code, reason: 'start-failed', finishedAtMs: nowMs };
  if (isNeverTaken(error)) {
    return { ...record, step: 'ended', lastExit: exit, finishedAtMs: nowMs, ending: { kind: 'finish', phase: 'failed' }, reason: failedReason(record, exit), message: errorText(error) };
  }
  return byPolicy(record, exit, { code, finishedAtMs: nowMs }, errorText(error));
}

function isNeverTaken(error: unknown): boolean {
  return isClusterError(error, 'INVALID_ARGUMENT') || (error instanceof Error && isClusterError(error.cause, 'INVALID_ARGUMENT'));
}

/** The record after an init container that ended with another code than 0: the policy counts the attempt like a failed exit. */
export function afterFailedInit(record: TaskRecord, index: number): TaskRecord {
  const { code = null, finishedAtMs = 0 } = record.companions?.[index]?.lastExit ?? {};
  const exit: TaskExit = { attempt: record.attempt, code, reason: 'init-failed', finishedAtMs };
  return byPolicy(record, exit, { code: null, finishedAtMs }, `${describeCompanion(record.task, index)}: ${code === null ? 'its exit code could not be seen' : `exit code ${String(code)}`}`);
}

/** A companion after its run ended: an init container is done, a sidecar is started again by its own policy. */
export function afterCompanionEnd(record: TaskRecord, index: number, end: ContainerEnd): CompanionRecord {
  const spec = record.task.companions?.[index];
  const companion = companionOf(record, index);
  const { container: _container, ...rest } = companion;
  const lastExit: TaskExit = { attempt: record.attempt, code: end.code, reason: exitReason(end, undefined), finishedAtMs: end.finishedAtMs };
  const ended = { ...rest, step: 'ended' as const, lastExit };
  const decision = spec?.role !== 'sidecar' ? { kind: 'complete' as const } : decideSidecarRestart(spec.container.restart, companion.recent, end);
  return decision.kind === 'complete' ? { ...ended, isDone: true } : { ...ended, recent: decision.recent, notBeforeMs: decision.notBeforeMs };
}

/** A sidecar whose run could not be started counts as one that ended. */
export function afterCompanionFailed(record: TaskRecord, index: number, nowMs: number): CompanionRecord {
  const failed = afterCompanionEnd(record, index, { code: null, isOomKilled: false, finishedAtMs: nowMs });
  return { ...failed, lastExit: { attempt: record.attempt, code: null, reason: 'start-failed', finishedAtMs: nowMs } };
}

/** A companion of whose run nothing is left. */
export function afterCompanionClear(companion: CompanionRecord): CompanionRecord {
  const { container: _container, ...rest } = companion;
  return { ...rest, step: 'idle' };
}

/** The record after an attempt that was given up before its start, by a stop or a withdrawn permit: the next one may begin at once. */
export function afterGivenUp(record: TaskRecord, nowMs: number): TaskRecord {
  return { ...record, step: 'ended', ending: { kind: 'restart', notBeforeMs: nowMs }, reason: '', message: '' };
}

/** The record after an attempt that nobody did anything wrong in: not wanted any more, or no room on the disk or the machine. Undefined: it counts. */
export function afterUncounted(record: TaskRecord, why: { readonly error: unknown; readonly isUnwanted: boolean }, nowMs: number): TaskRecord | undefined {
  if (why.isUnwanted) {
    return { ...afterGivenUp(record, nowMs), ...pressureOf(why.error) };
  }
  const pressure = pressureOf(why.error);
  return pressure === undefined ? undefined : { ...afterGivenUp(record, nowMs + OWN_RETRY_MS), ...pressure };
}

/** What the disk or the node has no more of, for the status: bytes, processes, addresses, named devices; undefined for any other error. */
export function pressureOf(error: unknown): { readonly reason: string; readonly message: string } | undefined {
  if (isDiskPressure(error)) {
    return { reason: DISK_PRESSURE, message: errorText(error) };
  }
  const shortage = shortageText(error);
  return shortage === undefined ? undefined : { reason: NODE_PRESSURE, message: cut(shortage) };
}

/** What a step that failed on our side is told as, until it works. */
export function troubleOf(error: unknown): { readonly reason: string; readonly message: string } {
  return pressureOf(error) ?? { reason: 'NodeTrouble', message: errorText(error) };
}

/** The record once nothing of the ended (or never started) attempt is left. */
export function afterClear(record: TaskRecord): TaskRecord {
  const rest = { ...withoutAttempt(record), ...(record.companions === undefined ? {} : { companions: record.companions.map(afterCompanionClear) }) };
  const ending = record.ending;
  if (ending?.kind === 'finish') {
    return { ...rest, step: 'idle', ending, ...timesOf(record) };
  }
  return { ...rest, step: 'idle', notBeforeMs: ending?.notBeforeMs ?? 0 };
}

/** One line for a person about an error of ours: a ClusterError's own words, else the innermost cause's. */
export function errorText(error: unknown): string {
  if (error instanceof ClusterError) {
    return cut(error.message);
  }
  if (error instanceof Error) {
    const isNew = error.cause instanceof Error && !error.message.includes(error.cause.message);
    return cut(isNew ? `${error.message}: ${(error.cause as Error).message}` : error.message);
  }
  return cut(String(error));
}

/** True when trying the same pull again, without counting an attempt, makes sense. */
export function isPullRetried(error: unknown): boolean {
  return isClusterError(error, 'UNAVAILABLE') || isClusterError(error, 'RESOURCE_EXHAUSTED');
}

function byPolicy(record: TaskRecord, exit: TaskExit, counted: AttemptEnd, message: string): TaskRecord {
  const decision = decideRestart(policyOf(record.task), record.recent, counted);
  const ended = { ...record, step: 'ended' as const, lastExit: exit, finishedAtMs: exit.finishedAtMs };
  if (decision.kind === 'restart') {
    const ending: Ending = { kind: 'restart', notBeforeMs: decision.notBeforeMs };
    return { ...ended, recent: decision.recent, restarts: record.restarts + 1, ending, reason: record.reason === '' ? 'restarting' : record.reason, message };
  }
  if (decision.kind === 'complete') {
    return { ...ended, ending: { kind: 'finish', phase: 'complete' }, reason: '', message: '' };
  }
  const reason = decision.reason === 'attempts-exhausted' && exit.reason !== 'start-failed' ? 'crash-loop' : failedReason(record, exit);
  return { ...ended, ending: { kind: 'finish', phase: 'failed' }, reason, message };
}

/** A job that ended is never begun again for that alone, and its retries are new tasks. */
export function policyOf(task: Task): RestartPolicy {
  const policy = task.container.restart;
  return task.kind === 'job' && policy.mode === 'always' ? { ...policy, mode: 'never' } : policy;
}

function failedReason(record: TaskRecord, exit: TaskExit): string {
  return exit.reason === 'start-failed' && record.reason !== '' ? record.reason : exit.reason;
}

function exitReason(end: ContainerEnd, cause: StopCause | undefined): string {
  if (cause !== undefined && cause !== 'monitor-lost') {
    return cause;
  }
  if (end.code === null) {
    return 'exit-unknown';
  }
  if (end.isOomKilled && end.code === SIGNAL_BASE + 9) {
    return 'OOMKilled';
  }
  return end.code > SIGNAL_BASE ? signalReason(end.code - SIGNAL_BASE) : 'exited';
}

function signalReason(number: number): string {
  const name = SIGNAL_NAMES.get(number);
  return name === undefined ? 'exited' : `signal:${name}`;
}

function exitText(exit: TaskExit, why: string | undefined): string {
  return exit.code === null ? `ended; its exit code could not be seen${why === undefined ? '' : `: ${why}`}` : `exit code ${String(exit.code)} (${exit.reason})`;
}

/** When the last attempt ran: told as long as the record is there. */
function timesOf({ startedAtMs, finishedAtMs }: TaskRecord): Pick<TaskRecord, 'startedAtMs' | 'finishedAtMs'> {
  return { ...(startedAtMs === undefined ? {} : { startedAtMs }), ...(finishedAtMs === undefined ? {} : { finishedAtMs }) };
}

function cut(text: string): string {
  return printable(text).slice(0, MAX_MESSAGE_LENGTH);
}
