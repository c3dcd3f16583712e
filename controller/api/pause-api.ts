/** `pause`, `unpause`: a wish in the record of each task, so that it outlives the agent that carries it out. */
import { ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import type { ControlHandlers } from '#model/ports.ts';
import { isFinished } from '#model/task.ts';
import type { Task } from '#model/task.ts';
import type { Versioned } from '#model/cluster-snapshot.ts';
import { buildKey } from '../store/keys.ts';
import { encodeTask } from '../store/records.ts';
import { requireRole } from './access.ts';
import type { ServiceApiParts } from './service-api.ts';
import { writeOnce } from './write-once-flow.ts';
import type { WriteDraft } from './write-once-flow.ts';

/** Each costs a compare and a write of the 120 a transaction has. */
const MAX_TASKS = 100;

export function createPauseApi(parts: ServiceApiParts): Pick<ControlHandlers, 'setPaused'> {
  return {
    async setPaused(request, peer) {
      const { tasks, isPaused } = request;
      requireRole(peer, 'operator');
      if (tasks.length > MAX_TASKS) {
        throw new ClusterError('INVALID_ARGUMENT', `tasks: at most ${String(MAX_TASKS)} in one call, got ${String(tasks.length)}`);
      }
      await writeOnce({ rpc: 'setPaused', request }, parts, () => draft([...new Set(tasks)], isPaused, parts), parts.signal);
    },
  };
}

function draft(ids: readonly TaskId[], isPaused: boolean, parts: ServiceApiParts): WriteDraft {
  const changed = ids.map(id => requireLive(id, isPaused, parts)).filter(({ value }) => value.isPaused !== isPaused);
  return {
    compares: changed.map(({ value, modRevision }) => ({ kind: 'mod-revision', key: buildKey({ kind: 'task', id: value.id }), revision: modRevision })),
    operations: changed.map(({ value }) => ({ kind: 'put', key: buildKey({ kind: 'task', id: value.id }), value: encodeTask({ ...value, isPaused }) })),
    outcome: { kind: 'done' },
  };
}

/** What does not run yet cannot stand still; to let it run on is always fine. */
function requireLive(id: TaskId, isPaused: boolean, { state }: ServiceApiParts): Versioned<Task> {
  const task = state.current.tasks.get(id);
  if (task === undefined) {
    throw new ClusterError('NOT_FOUND', `task ${id} is not known`);
  }
  const status = state.current.statuses.get(id)?.value;
  if (task.value.desired === 'stop' || (status !== undefined && isFinished(status.phase))) {
    throw new ClusterError('FAILED_PRECONDITION', `task ${id} does not run any more`);
  }
  if (isPaused && status?.phase !== 'running') {
    throw new ClusterError('FAILED_PRECONDITION', `task ${id} is ${status?.phase ?? 'assigned'}; only one that runs can be paused`);
  }
  return task;
}
