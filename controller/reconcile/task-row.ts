/** A task with what is known of it, and the questions that plans ask. */
import type { Service, ServiceStatus } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { ServiceId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { nodeOfTask } from '#model/node-of-task.ts';
import { resourcesKey } from '#model/resources.ts';
import { isFinished, isServing as isServingStatus, RESIZE_REFUSED } from '#model/task.ts';
import type { Task, TaskStatus } from '#model/task.ts';

export interface TaskRow {
  readonly task: Task;
  /** Absent until the agent reported it. */
  readonly status?: TaskStatus;
  /** Absent once the node was removed. */
  readonly node?: Node;
}

export interface ServiceState {
  readonly service: Service;
  /** Absent before the first plan. */
  readonly status?: ServiceStatus;
  /** By slot, then fence (oldest first), then id. */
  readonly rows: readonly TaskRow[];
}

export function serviceState(snapshot: ClusterSnapshot, id: ServiceId): ServiceState | undefined {
  const service = snapshot.services.get(id)?.value;
  if (service === undefined) {
    return undefined;
  }
  const status = snapshot.serviceStatuses.get(id)?.value;
  return { service, rows: rowsOf(snapshot, id), ...(status === undefined ? {} : { status }) };
}

export function rowsOf(snapshot: ClusterSnapshot, id: ServiceId): readonly TaskRow[] {
  const rows = [...(snapshot.tasksOfService.get(id) ?? [])].flatMap((taskId): readonly TaskRow[] => {
    const task = snapshot.tasks.get(taskId)?.value;
    if (task === undefined) {
      return [];
    }
    const status = snapshot.statuses.get(taskId)?.value;
    const node = nodeOfTask(snapshot, task);
    return [{ task, ...(status === undefined ? {} : { status }), ...(node === undefined ? {} : { node }) }];
  });
  return rows.sort(compareRows);
}

function compareRows(left: TaskRow, right: TaskRow): number {
  return left.task.slot - right.task.slot || left.task.fence - right.task.fence || (left.task.id < right.task.id ? -1 : 1);
}

/** Nothing of it will run again. */
export function hasEnded(row: TaskRow): boolean {
  return row.status !== undefined && isFinished(row.status.phase);
}

/** Wanted, and not known to have ended. */
export function isLive(row: TaskRow): boolean {
  return row.task.desired === 'run' && row.node !== undefined && !hasEnded(row);
}

/** May have processes on a node that is there: what counts against surge and for "at most one". */
export function mayRun(row: TaskRow): boolean {
  return row.node !== undefined && !hasEnded(row);
}

export function isOnLostNode(row: TaskRow): boolean {
  return row.node?.condition === 'lost';
}

/** Its node was silent for a while; that alone changes nothing (I18). */
export function isCutOff(row: TaskRow): boolean {
  return row.node !== undefined && row.node.condition !== 'ready';
}

export function isServing(row: TaskRow): boolean {
  return isLive(row) && !isOnLostNode(row) && row.status !== undefined && isServingStatus(row.status);
}

export function isUpToDate(row: TaskRow, service: Service): boolean {
  return row.task.templateHash === service.templateHash && row.task.resourcesKey === resourcesKey(service.spec.container);
}

/** Its node carries out a change of its resources; one that was refused is not on its way. */
export function isResizing({ task, status }: TaskRow): boolean {
  const held = status?.resources;
  return held !== undefined && status?.reason !== RESIZE_REFUSED && resourcesKey(held) !== resourcesKey(task.container);
}

/** What its node says against its new resources. */
export function resizeRefusal({ task, status }: TaskRow): string | undefined {
  return status?.reason === RESIZE_REFUSED ? `${task.name}: ${status.message}` : undefined;
}

/** Its slot goes on elsewhere: its node is being emptied, or it was told to move. */
export function isLeaving({ task, node }: TaskRow): boolean {
  return node?.availability === 'draining' || (task.moveTo !== undefined && task.moveTo !== task.node);
}

/** Made for the current template and not on its way to another node. */
export function mayStay(row: TaskRow, service: Service): boolean {
  return isUpToDate(row, service) && !isLeaving(row);
}

/** It failed although nobody asked it to stop. */
export function hasFailed(row: TaskRow): boolean {
  return row.status?.phase === 'failed' && row.task.desired === 'run';
}

/** Ended and, by its service's rules, not to be followed by another: a job's success, or what the restart policy leaves alone. */
export function isDone(row: TaskRow, service: Service): boolean {
  if (!isUpToDate(row, service) || (row.task.desired !== 'run' && !isJobDone(row, service))) {
    return false;
  }
  const { mode } = service.spec.container.restart;
  if (row.status?.phase === 'complete') {
    return service.spec.kind === 'job' || mode !== 'always';
  }
  return row.status?.phase === 'failed' && service.spec.kind !== 'job' && mode === 'never';
}

/**
 * Its newest task says so; of a job any of them: one that was given up with its node may have ended well there, and tells it once its
 * successor failed.
 *
 * @param rows  of one slot, oldest first
 */
export function isSlotDone(rows: readonly TaskRow[], service: Service): boolean {
  const made = rows.filter(row => isUpToDate(row, service));
  const telling = service.spec.kind === 'job' ? made : made.slice(-1);
  return telling.some(row => isDone(row, service));
}

/** A job that ended well by itself before its stop reached it: what was done is not done again. */
function isJobDone({ status }: TaskRow, { spec }: Service): boolean {
  return spec.kind === 'job' && status?.phase === 'complete' && status.lastExit?.code === 0 && status.lastExit.reason === 'exited';
}
