import type { Health, Task, TaskExit } from '#model/task.ts';
import type { NetworkSlot } from '../network/ports.ts';
import type { CreatedContainer } from '../runtime/ports.ts';
import type { AttemptEnd } from './restart-decision.ts';

/**
 * How far the newest attempt got.
 *
 * `idle`: nothing of any attempt is left; the next one may begin at `notBeforeMs`.
 * `building`: anything that is named after the attempt may exist, but it was not started.
 * `starting`: created, with `container` known; started or not, the runtime tells.
 * `running`: started. `ended`: its end is in `lastExit`, the rest of it may still be there; `ending` says what follows.
 * `finished`: nothing of the task is left but this record and the logs, and nothing will run again.
 */
export type RecordStep = 'idle' | 'building' | 'starting' | 'running' | 'ended' | 'finished';

/** What is to follow an ended attempt. */
export type Ending =
  | { readonly kind: 'restart'; readonly notBeforeMs: number }
  | { readonly kind: 'finish'; readonly phase: 'complete' | 'failed' };

/** All that must survive a crash about one task. Its only writer is the task's own loop (at the start: recovery). */
export interface TaskRecord {
  readonly task: Task;
  /** 0 before the first. Never falls, and each number is built at most once. */
  readonly attempt: number;
  readonly step: RecordStep;
  /** The boot in which this was written: pids and namespaces of another one mean nothing. */
  readonly bootId: string;
  /** Kept across attempts: the address stays. */
  readonly slot?: NetworkSlot;
  readonly container?: CreatedContainer;
  readonly startedAtMs?: number;
  /** The newest verdict: an adopted task keeps its place in the endpoints. */
  readonly health: Health;
  readonly finishedAtMs?: number;
  readonly restarts: number;
  readonly recent: readonly AttemptEnd[];
  readonly lastExit?: TaskExit;
  readonly ending?: Ending;
  readonly notBeforeMs: number;
  /** Why it is where it is, as in TaskStatus. */
  readonly reason: string;
  readonly message: string;
}

export function newRecord(task: Task, attemptFloor: number, bootId: string): TaskRecord {
  return { task, attempt: attemptFloor, step: 'idle', bootId, health: 'none', restarts: 0, recent: [], notBeforeMs: 0, reason: '', message: '' };
}

/** The record without what belongs to one attempt. */
export function withoutAttempt(record: TaskRecord): TaskRecord {
  const { container: _container, startedAtMs: _startedAtMs, finishedAtMs: _finishedAtMs, ending: _ending, ...rest } = record;
  return { ...rest, health: 'none' };
}
