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
  const isComing = record.step === 'idle' && phase === 'assigned' && record.attempt > 0;
  return {
    id: record.task.id,
    node,
    attempt: isComing ? record.attempt + 1 : record.attempt,
    phase,
    health: phase === 'running' || phase === 'stopping' ? record.health : 'none',
    reason: live.reason === '' ? record.reason : live.reason,
    message: live.message === '' ? record.message : live.message,
    restarts: record.restarts,
    ...(record.slot === undefined ? {} : { address: record.slot.address }),
    ...(record.step === 'running' && record.container !== undefined ? { pid: record.container.container.pid } : {}),
    ...(record.startedAtMs === undefined ? {} : { startedAtMs: record.startedAtMs }),
    ...(record.finishedAtMs === undefined ? {} : { finishedAtMs: record.finishedAtMs }),
    ...(record.lastExit === undefined ? {} : { lastExit: record.lastExit }),
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
      return record.ending?.kind === 'finish' ? record.ending.phase : 'complete';
  }
}
