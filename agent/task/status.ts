import type { NodeId } from '#model/ids.ts';
import type { Phase, TaskStatus } from '#model/task.ts';
import type { TaskRecord } from './record.ts';

/** What only the running loop knows. */
export interface LiveState {
  /** How far a start got: `pulling`, `preparing`, `starting`; absent outside of one. */
  readonly building?: 'pulling' | 'preparing' | 'starting';
  readonly isStopping: boolean;
  /** Of the step in progress: a pull that is tried again, a probe that fails. Empty: the record's. */
  readonly reason: string;
  readonly message: string;
}

export const QUIET: LiveState = { isStopping: false, reason: '', message: '' };

/** What the controller is told of the task. Between attempts it is `assigned`, with the attempt that is to come. */
export function statusOf(record: TaskRecord, live: LiveState, node: NodeId): TaskStatus {
  const phase = phaseOf(record, live);
  const isRunning = phase === 'running' || phase === 'stopping';
  return {
    id: record.task.id,
    node,
    attempt: phase === 'assigned' && record.attempt > 0 ? record.attempt + 1 : record.attempt,
    phase,
    health: isRunning ? record.health : 'none',
    reason: live.reason === '' ? record.reason : live.reason,
    message: live.message === '' ? record.message : live.message,
    restarts: record.restarts,
    ...withoutAbsent({
      address: record.slot?.address,
      pid: record.step === 'running' ? record.container?.container.pid : undefined,
      startedAtMs: record.startedAtMs,
      finishedAtMs: record.finishedAtMs,
      lastExit: record.lastExit,
    }),
  };
}

function phaseOf(record: TaskRecord, live: LiveState): Phase {
  switch (record.step) {
    case 'idle':
      return record.ending?.kind === 'finish' ? 'stopping' : 'assigned';
    case 'building':
    case 'starting':
      return live.building ?? 'preparing';
    case 'running':
      return live.isStopping ? 'stopping' : 'running';
    case 'ended':
      return 'stopping';
    case 'finished':
      return finishedPhase(record);
  }
}

function finishedPhase({ ending }: TaskRecord): Phase {
  return ending?.kind === 'finish' ? ending.phase : 'complete';
}

type Present<Fields> = { readonly [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };

function withoutAbsent<Fields extends object>(fields: Fields): Present<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<Fields>;
}
