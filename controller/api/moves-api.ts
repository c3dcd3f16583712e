/** Moves of tasks: which would be worth it, and the wish that a slot goes on elsewhere. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { ClusterError } from '#model/errors.ts';
import type { NodeId } from '#model/ids.ts';
import type { ControlHandlers, TaskMove } from '#model/ports.ts';
import { isFinished } from '#model/task.ts';
import type { Task } from '#model/task.ts';
import type { Versioned } from '#model/cluster-snapshot.ts';
import { MovePlanner } from '../reconcile/rebalance-plan.ts';
import { isStopFirst } from '../reconcile/slot-plan.ts';
import { explainSummary } from '../schedule/explain.ts';
import { schedule } from '../schedule/schedule.ts';
import { buildKey } from '../store/keys.ts';
import { encodeTask } from '../store/records.ts';
import { requireRole } from './access.ts';
import type { ServiceApiParts } from './service-api.ts';
import { writeOnce } from './write-once-flow.ts';
import type { WriteDraft } from './write-once-flow.ts';

/** Each costs a compare and a write of the 120 a transaction has. */
const MAX_MOVES = 100;

export function createMovesApi(parts: ServiceApiParts): Pick<ControlHandlers, 'planMoves' | 'moveTasks'> {
  return {
    async planMoves(request, peer) {
      requireRole(peer, 'operator');
      if (!Number.isInteger(request.maxMoves) || request.maxMoves < 1 || request.maxMoves > MAX_MOVES) {
        throw new ClusterError('INVALID_ARGUMENT', `max_moves must be 1..${String(MAX_MOVES)}, got ${String(request.maxMoves)}`);
      }
      const planner = new MovePlanner(parts.state.current, request);
      while (!planner.step()) {
        await parts.clock.sleep(0, parts.signal);
      }
      return planner.plan;
    },
    async moveTasks(request, peer) {
      const { moves } = request;
      requireRole(peer, 'operator');
      if (moves.length > MAX_MOVES || new Set(moves.map(one => one.task)).size < moves.length) {
        throw new ClusterError('INVALID_ARGUMENT', `moves: at most ${String(MAX_MOVES)}, each task once; got ${String(moves.length)}`);
      }
      await writeOnce({ rpc: 'moveTasks', request }, parts, () => draft(moves, parts), parts.signal);
    },
  };
}

function draft(moves: readonly TaskMove[], { state }: ServiceApiParts): WriteDraft {
  const records = moves.map(move => ({ move, record: requireMovable(move, state.current) }));
  return {
    compares: records.map(({ move, record }) => ({ kind: 'mod-revision', key: buildKey({ kind: 'task', id: move.task }), revision: record.modRevision })),
    operations: records.map(({ move, record }) => ({ kind: 'put', key: buildKey({ kind: 'task', id: move.task }), value: encodeTask({ ...record.value, moveTo: move.node }) })),
    outcome: { kind: 'done' },
  };
}

/** @throws ClusterError NOT_FOUND, FAILED_PRECONDITION */
function requireMovable({ task: id, node }: TaskMove, snapshot: ClusterSnapshot): Versioned<Task> {
  const record = snapshot.tasks.get(id);
  const service = record === undefined ? undefined : snapshot.services.get(record.value.serviceId)?.value;
  if (record === undefined || service === undefined) {
    throw new ClusterError('NOT_FOUND', `task ${id} is not known`);
  }
  if (!snapshot.nodes.has(node)) {
    throw new ClusterError('NOT_FOUND', `node ${node} does not exist; see clusterctl node ls`);
  }
  requireMobile(record.value, service, snapshot);
  requireRoom(record.value, service, { snapshot, node });
  return record;
}

/** @throws ClusterError FAILED_PRECONDITION */
function requireMobile(task: Task, service: Service, snapshot: ClusterSnapshot): void {
  const { id } = task;
  if (task.desired === 'stop' || isFinished(snapshot.statuses.get(id)?.value.phase ?? 'pending')) {
    throw new ClusterError('FAILED_PRECONDITION', `task ${id} does not run any more`);
  }
  if (service.spec.kind === 'service' && isStopFirst(service)) {
    throw new ClusterError('FAILED_PRECONDITION', `task ${id} is of service ${service.id}, whose tasks end before their replacements start: a move would interrupt it; drain its node instead`);
  }
  if (service.spec.kind !== 'service') {
    throw new ClusterError('FAILED_PRECONDITION', `task ${id} is of service ${service.id} of kind ${service.spec.kind}: only tasks of kind service are moved; drain its node instead`);
  }
}

/** @throws ClusterError FAILED_PRECONDITION */
function requireRoom(task: Task, service: Service, { snapshot, node }: { readonly snapshot: ClusterSnapshot; readonly node: NodeId }): void {
  const { id } = task;
  if (task.node === node) {
    throw new ClusterError('FAILED_PRECONDITION', `task ${id} is on ${node} already`);
  }
  const [rejection] = schedule(snapshot, [{ service, slots: [{ slot: task.slot, node }] }]).rejections;
  if (rejection !== undefined) {
    throw new ClusterError('FAILED_PRECONDITION', `${node} cannot take task ${id}: ${explainSummary(rejection.obstacles)}`);
  }
}
