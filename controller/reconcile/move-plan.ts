/** Tasks that were told to move: which of them may now, and whose wish is given up. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId } from '#model/ids.ts';
import type { Task } from '#model/task.ts';
import { explainSummary } from '../schedule/explain.ts';
import type { ObstacleSummary } from '../schedule/obstacle-summary.ts';
import { unfinishedTasksOn } from '../schedule/node-load.ts';
import { schedule } from '../schedule/schedule.ts';
import type { PlanContext } from './plan-context.ts';
import { isLive, rowsOf } from './task-row.ts';
import type { ServiceState, TaskRow } from './task-row.ts';

export interface MovePlan {
  /** As they are to be looked at now: a task whose node cannot take it yet stays. */
  readonly rows: readonly TaskRow[];
  readonly abandoned: readonly { readonly task: Task; readonly reason: string }[];
}

interface Look {
  readonly snapshot: ClusterSnapshot;
  readonly table: PlanContext['table'] | undefined;
}

/** A wish waits while something on the other node ends, moves away or is being updated; where nothing is, it would wait for ever. */
export function planMovesOf(snapshot: ClusterSnapshot, { service, rows }: Pick<ServiceState, 'service' | 'rows'>, table?: PlanContext['table']): MovePlan {
  const look: Look = { snapshot, table };
  const abandoned: { readonly task: Task; readonly reason: string }[] = [];
  const seen = rows.map(row => {
    const { moveTo } = row.task;
    if (moveTo === undefined || !isLive(row) || !isAlone(rows, row)) {
      return row;
    }
    const obstacles = obstaclesOn(look, row.task, moveTo);
    if (obstacles === undefined) {
      return row;
    }
    if (!isTemporary(obstacles) && !mayGetRoom(look, moveTo, new Set())) {
      abandoned.push({ task: row.task, reason: `${moveTo} cannot take ${row.task.name} of service/${service.id}: ${snapshot.nodes.has(moveTo) ? explainSummary(obstacles) : 'the node is not there any more'}` });
    }
    const { moveTo: _, ...task } = row.task;
    return { ...row, task };
  });
  return { rows: seen, abandoned };
}

function isAlone(rows: readonly TaskRow[], { task }: TaskRow): boolean {
  return rows.filter(other => other.task.slot === task.slot && isLive(other)).length <= 1;
}

/** Undefined when the task's slot fits there; one obstacle where it does not, none where the node is gone. */
function obstaclesOn({ snapshot, table }: Look, { serviceId, slot }: Task, node: NodeId): ObstacleSummary | undefined {
  const service = snapshot.services.get(serviceId)?.value;
  const rejections = service === undefined ? [] : schedule(snapshot, [{ service, slots: [{ slot, node }] }], table?.()).rejections;
  return rejections[0]?.obstacles;
}

/** A node that is silent is back soon, or lost. */
function isTemporary({ groups }: ObstacleSummary): boolean {
  return groups.some(({ first: one }) => one.kind === 'node' && one.state === 'silent');
}

/** @param visited  nodes that are asked about already: tasks that wait for each other's places wait for nothing */
function mayGetRoom(look: Look, node: NodeId, visited: Set<NodeId>): boolean {
  if (visited.has(node)) {
    return false;
  }
  visited.add(node);
  return unfinishedTasksOn(look.snapshot, node).some(task => isLeavingSoon(look, task, visited));
}

function isLeavingSoon(look: Look, task: Task, visited: Set<NodeId>): boolean {
  const { snapshot } = look;
  const status = snapshot.serviceStatuses.get(task.serviceId)?.value;
  if (task.desired === 'stop' || status?.rollout.state === 'progressing') {
    return true;
  }
  const { moveTo } = task;
  if (moveTo === undefined || moveTo === task.node) {
    return false;
  }
  const isReplaced = rowsOf(snapshot, task.serviceId).some(other => other.task.slot === task.slot && other.task.id !== task.id && isLive(other));
  return isReplaced || obstaclesOn(look, task, moveTo) === undefined || mayGetRoom(look, moveTo, visited);
}
