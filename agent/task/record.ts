import { resourcesOf } from '#model/resources.ts';
import type { TaskResources } from '#model/resources.ts';
import type { Health, Task, TaskExit } from '#model/task.ts';
import type { NetworkSlot } from '../network/ports.ts';
import type { CreatedContainer } from '../runtime/ports.ts';
import { containerId } from './names.ts';
import type { AttemptEnd } from './restart-decision.ts';

/**
 * How far the newest attempt got.
 *
 * `idle`: nothing of any attempt is left; the next one may begin at `notBeforeMs`.
 * `preparing`: its companions are brought up, as far as `companions` says; nothing of the main container is there. Only of tasks that have some.
 * `building`: anything that is named after the attempt may exist, but it was not started.
 * `starting`: created, with `container` known; started or not, the runtime tells. A recovery finds it, nobody writes it.
 * `running`: started. `ended`: its end is in `lastExit`, the rest of it may still be there; `ending` says what follows.
 * `finished`: nothing of the task is left but this record and the logs, and nothing will run again.
 */
export type RecordStep = 'idle' | 'preparing' | 'building' | 'starting' | 'running' | 'ended' | 'finished';

/** What is to follow an ended attempt. */
export type Ending =
  | { readonly kind: 'restart'; readonly notBeforeMs: number }
  | { readonly kind: 'finish'; readonly phase: 'complete' | 'failed' };

/**
 * How far the newest run of one companion got, in the newest attempt. The steps mean what they mean for the task; what is half built or
 * ended goes back to `idle` once nothing of it is left.
 */
export interface CompanionRecord {
  readonly step: 'idle' | 'building' | 'starting' | 'running' | 'ended';
  /** 0 before the first. Each number is built at most once in an attempt. */
  readonly run: number;
  readonly container?: CreatedContainer;
  readonly lastExit?: TaskExit;
  readonly recent: readonly AttemptEnd[];
  readonly notBeforeMs: number;
  /** It will not run again in this attempt. */
  readonly isDone: boolean;
}

/** All that must survive a crash about one task. Its only writer is the task's own loop (at the start: recovery). */
export interface TaskRecord {
  readonly task: Task;
  /** 0 before the first. Never falls, and each number is started at most once. */
  readonly attempt: number;
  readonly step: RecordStep;
  /** The boot in which this was written: pids and namespaces of another one mean nothing. */
  readonly bootId: string;
  /** Kept across attempts: the address stays. */
  readonly slot?: NetworkSlot;
  /** Of named devices, held like the slot. */
  readonly deviceUnits?: readonly string[];
  readonly container?: CreatedContainer;
  /** By the place of the task's companions; those of the newest attempt, also when nothing of it is left. */
  readonly companions?: readonly CompanionRecord[];
  readonly startedAtMs?: number;
  /** What the running attempt is held to; absent: not known, since a change was on its way when the agent ended. */
  readonly resources?: TaskResources;
  /** Its processes stand still; absent: not known. */
  readonly isFrozen?: boolean;
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

/** The record of an attempt whose container is held to what the task asks for, and starts or started. */
export function asStarted(record: TaskRecord, step: 'starting' | 'running', container: CreatedContainer, startedAtMs: number): TaskRecord {
  const { task } = record;
  const health = task.container.healthcheck === undefined ? 'none' : 'starting';
  return { ...record, container, step, startedAtMs, health, resources: resourcesOf(task.container), isFrozen: false, reason: '', message: '' };
}

/** The companions of a task whose attempt begins; undefined where it has none. */
export function freshCompanions({ companions }: Task): readonly CompanionRecord[] | undefined {
  return companions?.map(() => ({ step: 'idle', run: 0, recent: [], notBeforeMs: 0, isDone: false }));
}

/** @throws RangeError for a place that the task has no companion at */
export function companionOf({ task, companions }: TaskRecord, index: number): CompanionRecord {
  const companion = companions?.[index];
  if (companion === undefined) {
    throw new RangeError(`task ${task.id} has no companion ${String(index)}`);
  }
  return companion;
}

/** The record with one companion changed. */
export function withCompanion(record: TaskRecord, index: number, companion: CompanionRecord): TaskRecord {
  return { ...record, companions: (record.companions ?? []).map((one, place) => (place === index ? companion : one)) };
}

/** Ids of every container that may be there: of the newest attempt, unless nothing of it is left. */
export function claimedContainers({ task, attempt, step, companions = [] }: TaskRecord): readonly string[] {
  if (step === 'idle' || step === 'finished') {
    return [];
  }
  const beside = companions.flatMap(({ run }, index) => (run === 0 ? [] : [containerId(task.id, attempt, { index, run })]));
  return [containerId(task.id, attempt), ...beside];
}

/** The record without what belongs to one attempt. */
export function withoutAttempt(record: TaskRecord): TaskRecord {
  const { container: _container, startedAtMs: _startedAtMs, finishedAtMs: _finishedAtMs, ending: _ending, resources: _resources, isFrozen: _isFrozen, ...rest } = record;
  return { ...rest, health: 'none' };
}

/** A task that ends between two attempts ends as the one that was to come, since that one was reported already. */
export function lastAttempt(record: TaskRecord): number {
  return record.attempt === 0 || record.ending?.kind === 'finish' ? record.attempt : record.attempt + 1;
}
