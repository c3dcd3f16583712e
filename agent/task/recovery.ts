import type { TaskId } from '#model/ids.ts';
import type { ContainerEnd, ContainerState } from '../runtime/ports.ts';
import { afterEnd } from './attempt-end.ts';
import type { CompanionRecord, TaskRecord } from './record.ts';
import { withoutAttempt } from './record.ts';

/** What the node says about one record, after the agent (or the machine) started again. */
export interface Found {
  readonly isSameBoot: boolean;
  readonly state: ContainerState;
  readonly end?: ContainerEnd;
  /** The container's own process, by pid and start time. */
  readonly isContainerAlive: boolean;
  /** Its network slot is still there and ours. */
  readonly isSlotHeld: boolean;
  /** The deadman killed it; absent: it did not. */
  readonly isCutOff?: boolean;
}

export type RecoveryVerdict =
  /** It runs on: watch it. */
  | { readonly kind: 'adopt'; readonly reason: string }
  /** It ended while nobody looked. */
  | { readonly kind: 'report-exit'; readonly end: ContainerEnd; readonly reason: string }
  /** Whatever there is of the attempt goes; the next one follows. */
  | { readonly kind: 'undo'; readonly reason: string }
  /** Nothing of an attempt was there to lose. */
  | { readonly kind: 'keep'; readonly reason: string };

/** What becomes of one record (reliability 5). A pid counts only with its start time, and only in the boot it was written in. */
export function decideRecovery(record: TaskRecord, found: Found, nowMs: number): RecoveryVerdict {
  if (record.step === 'idle' || record.step === 'finished' || record.step === 'ended') {
    return { kind: 'keep', reason: `was ${record.step}` };
  }
  if (record.step === 'preparing' && found.isSameBoot) {
    return found.isSlotHeld ? { kind: 'keep', reason: 'its companions go on' } : { kind: 'undo', reason: 'its network slot is gone' };
  }
  if (!found.isSameBoot) {
    return record.step === 'running' ? unseen('the machine started again', nowMs) : { kind: 'undo', reason: 'the machine started again' };
  }
  if (record.step === 'building') {
    return { kind: 'undo', reason: 'was half built' };
  }
  return ofStarted(record, found, nowMs);
}

/**
 * True for a task that nothing was started of and that the assignment on the disk does not have: it was made ready for one that did not get there, or was on its way out.
 * Where it is wanted, the next full set brings it.
 */
export function isNobodys(record: TaskRecord, assigned: ReadonlyMap<TaskId, unknown> | undefined): boolean {
  const wasNeverStarted = (record.step === 'building' || record.step === 'idle') && record.lastExit === undefined && record.task.companions === undefined;
  return wasNeverStarted && assigned?.has(record.task.id) === false;
}

/** What the node says of a companion's run that was written down as being started. */
export interface FoundCompanion {
  readonly state: ContainerState;
  readonly hasEnded: boolean;
}

/** A run that was being started runs, or ended already, or is cleared away: it is never started a second time. */
export function recoverCompanion(companion: CompanionRecord, found: FoundCompanion): CompanionRecord {
  const wasStarted = found.hasEnded || found.state === 'running' || found.state === 'stopped';
  return companion.step === 'starting' ? { ...companion, step: wasStarted ? 'running' : 'building' } : companion;
}

/** The record that the task's loop goes on from. */
export function applyRecovery(record: TaskRecord, verdict: RecoveryVerdict, found: Found, bootId: string): TaskRecord {
  const { slot, ...slotless } = record;
  const base: TaskRecord = { ...(found.isSlotHeld && slot !== undefined ? { ...slotless, slot } : slotless), bootId };
  switch (verdict.kind) {
    case 'adopt': {
      const { isFrozen: _unsure, ...adopted } = base;
      return { ...adopted, step: 'running', reason: '', message: '' };
    }
    case 'report-exit':
      return afterEnd(base, verdict.end, found.isCutOff === true ? 'disconnected' : undefined);
    case 'undo':
      return { ...withoutAttempt(base), step: 'building' };
    case 'keep':
      return base;
  }
}

function ofStarted(record: TaskRecord, found: Found, nowMs: number): RecoveryVerdict {
  if (found.end !== undefined) {
    return { kind: 'report-exit', end: found.end, reason: 'it ended while the agent was away' };
  }
  if (record.step === 'starting' && (found.state === 'created' || found.state === 'absent')) {
    return { kind: 'undo', reason: 'was created but not started' };
  }
  if (found.isContainerAlive && found.state === 'running') {
    return found.isSlotHeld
      ? { kind: 'adopt', reason: 'it runs' }
      : { kind: 'undo', reason: 'its network slot is gone' };
  }
  return unseen('it is gone and left no exit code', nowMs);
}

function unseen(reason: string, nowMs: number): RecoveryVerdict {
  return { kind: 'report-exit', end: { code: null, isOomKilled: false, finishedAtMs: nowMs, reason }, reason };
}
