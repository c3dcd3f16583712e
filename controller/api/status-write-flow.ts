/** Status reports of one agent into etcd: transitions only, forward only, fenced by the session record (reliability 4.5). */
import { ClusterError } from '#model/errors.ts';
import type { NodeId } from '#model/ids.ts';
import { isSameJson } from '#model/same-json.ts';
import { isForward } from '#model/task.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import type { HeartbeatAck } from '#model/session.ts';
import { encodeStatusRecord } from '../store/records.ts';
import { buildKey } from '../store/keys.ts';
import type { Compare, Operation, Store } from '../store/ports.ts';
import type { PlannedEvent } from '../reconcile/plan.ts';
import type { ClusterState, EventSink } from './ports.ts';
import { statusEvents } from './status-events.ts';

export interface StatusWriter {
  readonly store: Store;
  readonly state: ClusterState;
  readonly events: EventSink;
}

export interface StatusBatch {
  readonly node: NodeId;
  /** etcd revision of the session record that the batch came over. */
  readonly sessionRevision: number;
  readonly statuses: readonly TaskStatus[];
}

/** `settled`: the agent may forget them. `isDeposed`: the session was followed by another; nothing more may be written over it. */
export interface StatusOutcome {
  readonly settled: HeartbeatAck['settled'];
  readonly isDeposed: boolean;
}

/** Statuses a transaction: each costs two compares and one put of the store's 120 operations. */
const BATCH_SIZE = 30;
/** Tries for a task whose record moves meanwhile. */
const MAX_TRIES = 4;

interface Write {
  readonly task: Task;
  readonly previous: TaskStatus | undefined;
  readonly status: TaskStatus;
  readonly compares: readonly Compare[];
  readonly operation: Operation;
}

/** Writes the batch. What is stale, unknown or another node's is settled without a write: the agent need not send it again. */
export async function writeStatuses(batch: StatusBatch, writer: StatusWriter, signal: AbortSignal): Promise<StatusOutcome> {
  const settled: { task: TaskStatus['id']; attempt: number; phase: string }[] = [];
  for (let start = 0; start < batch.statuses.length; start += BATCH_SIZE) {
    const part = batch.statuses.slice(start, start + BATCH_SIZE);
    if (!(await writePart({ ...batch, statuses: part }, writer, signal))) {
      return { settled, isDeposed: true };
    }
    settled.push(...part.map(status => ({ task: status.id, attempt: status.attempt, phase: status.phase })));
  }
  return { settled, isDeposed: false };
}

/** False when the session is no longer the node's. @throws ClusterError CONFLICT when others keep winning: nothing is settled then */
async function writePart(batch: StatusBatch, writer: StatusWriter, signal: AbortSignal): Promise<boolean> {
  const session = buildKey({ kind: 'session', id: batch.node });
  for (let attempt = 1; ; attempt += 1) {
    const writes = batch.statuses.flatMap(status => draftWrite(status, batch.node, writer.state));
    writer.events.record(batch.statuses.filter(status => attempt === 1 && isUnknown(status, writer.state)).map(unknownEvent));
    if (writes.length === 0) {
      return true;
    }
    const outcome = await writer.store.transact(
      [{ kind: 'mod-revision', key: session, revision: batch.sessionRevision }, ...writes.flatMap(write => write.compares)],
      writes.map(write => write.operation), signal);
    if (outcome.kind === 'committed') {
      writer.events.record(writes.flatMap(write => statusEvents(write.task, write.previous, write.status)));
      await writer.state.waitFor(outcome.etcdRevision, signal);
      return true;
    }
    if (outcome.failed.includes(session)) {
      return false;
    }
    if (attempt >= MAX_TRIES) {
      throw new ClusterError('CONFLICT', `statuses of node ${batch.node} cannot be written: their records keep changing`);
    }
    await writer.state.waitFor(outcome.etcdRevision, signal);
  }
}

/** It runs, and no record says what it is: a store that was restored from a backup knows nothing of what came after. */
function isUnknown({ id, phase }: TaskStatus, { current }: ClusterState): boolean {
  return phase === 'running' && !current.tasks.has(id) && !current.unreadableTasks.has(id);
}

function unknownEvent({ id, node }: TaskStatus): PlannedEvent {
  return { type: 'warning', object: `node/${node}`, reason: 'UnknownTask', message: `node ${node} runs task ${id}, which the store does not know; the node stops it when nobody has named it for three times LOST` };
}

function draftWrite(status: TaskStatus, node: NodeId, state: ClusterState): readonly Write[] {
  const task = state.current.tasks.get(status.id);
  const previous = state.current.statuses.get(status.id);
  if (task?.value.node !== node) {
    return [];
  }
  if (previous !== undefined && (!isForward(previous.value, status) || isSameJson(previous.value, status))) {
    return [];
  }
  return [{
    task: task.value,
    previous: previous?.value,
    status,
    compares: [
      { kind: 'create-revision', key: buildKey({ kind: 'task', id: status.id }), revision: task.createRevision },
      { kind: 'mod-revision', key: buildKey({ kind: 'status', id: status.id }), revision: previous?.modRevision ?? 0 },
    ],
    operation: { kind: 'put', key: buildKey({ kind: 'status', id: status.id }), value: encodeStatusRecord(status) },
  }];
}
