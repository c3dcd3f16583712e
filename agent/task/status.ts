import type { NodeId } from '#model/ids.ts';
import type { CompanionStatus, Phase, TaskStatus } from '#model/task.ts';
import { isOnHostNetwork } from './host-network.ts';
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
    ...reasonOf(record, live),
    restarts: record.restarts,
    isPaused: record.step === 'running' && isFrozen(record),
    ...withoutAbsent({
      address: isOnHostNetwork(record.task) ? undefined : record.slot?.address,
      pid: record.step === 'running' ? record.container?.container.pid : undefined,
      startedAtMs: record.startedAtMs,
      finishedAtMs: record.finishedAtMs,
      lastExit: record.lastExit,
      companions: companionStatuses(record),
      resources: record.step === 'running' ? record.resources : undefined,
    }),
  };
}

/** Live words first; before its main container a task says which companion it waits for. */
function reasonOf(record: TaskRecord, live: LiveState): Pick<TaskStatus, 'reason' | 'message'> {
  const running = record.step === 'preparing' ? record.task.companions?.find(({ role }, index) => role === 'init' && record.companions?.[index]?.step === 'running') : undefined;
  const known = running === undefined ? record : { reason: 'Initializing', message: `init container ${running.name} runs` };
  return { reason: live.reason === '' ? known.reason : live.reason, message: live.message === '' ? known.message : live.message };
}

function companionStatuses(record: TaskRecord): readonly CompanionStatus[] | undefined {
  return record.task.companions?.map(({ name }, index) => {
    const { step = 'idle', run = 0, container, lastExit } = record.companions?.[index] ?? {};
    const isOver = record.step === 'finished' || step === 'ended' || (step === 'idle' && lastExit !== undefined);
    return {
      name,
      state: step === 'running' ? 'running' : isOver ? 'ended' : 'waiting',
      restarts: Math.max(0, run - 1),
      ...withoutAbsent({ pid: step === 'running' ? container?.container.pid : undefined, lastExit }),
    };
  });
}

/** Not known is as wished: it is about to be. */
function isFrozen({ isFrozen: known, task }: TaskRecord): boolean {
  return known ?? task.isPaused;
}

function phaseOf(record: TaskRecord, live: LiveState): Phase {
  switch (record.step) {
    case 'idle':
      return record.ending?.kind === 'finish' ? 'stopping' : 'assigned';
    case 'preparing':
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
