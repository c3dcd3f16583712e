/** A change of resources alone: which tasks get it in place, where they run, and which have to be replaced for it. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { TaskId } from '#model/ids.ts';
import { resourcesKey, resourcesOf } from '#model/resources.ts';
import type { Task } from '#model/task.ts';
import { GrowthRoom } from '../schedule/growth.ts';
import { hasEnded, isLive, isOnLostNode, isResizing, resizeRefusal } from './task-row.ts';
import type { ServiceState, TaskRow } from './task-row.ts';

export interface ResizePlan {
  /** To be written now. */
  readonly resizes: readonly Task[];
  /** The rows as they will be: those that are resized, now or in a later turn, count as up to date. */
  readonly rows: readonly TaskRow[];
  /** In place, but others first. */
  readonly waiting: number;
  /** Why a task is replaced instead, by task. */
  readonly replaced: ReadonlyMap<TaskId, string>;
  /** What an agent says against the change; undefined: none does. */
  readonly refusal: string | undefined;
}

/**
 * In place where the template is the same and the node and the quota have room for the difference; as many at a time as an update may touch, each after the ones
 * before it are in force. Where there is no room the row stays out of date, and is replaced by the rules of an update.
 */
export function planResizes(snapshot: ClusterSnapshot, state: ServiceState): ResizePlan {
  const { service, rows } = state;
  const wanted = resourcesKey(service.spec.container);
  const isDue = (row: TaskRow): boolean => isLive(row) && row.task.templateHash === service.templateHash && row.task.resourcesKey !== wanted;
  const refusal = rows.filter(isLive).map(resizeRefusal).find(one => one !== undefined);
  if (hasRolloutFailed(state) || !rows.some(isDue)) {
    return { resizes: [], rows, waiting: 0, replaced: new Map(), refusal };
  }
  const growth = new GrowthRoom(snapshot, service);
  const resizes: Task[] = [];
  const replaced = new Map<TaskId, string>();
  let waiting = 0;
  let room = turnSize(service) - rows.filter(isResizing).length;
  const after = rows.map((row): TaskRow => {
    if (!isDue(row) || isOnLostNode(row)) {
      return row;
    }
    const task = resized(row.task, service, wanted);
    const obstacle = growth.grant(row.task, task);
    if (obstacle !== undefined) {
      replaced.set(row.task.id, obstacle);
      return row;
    }
    if (room > 0) {
      room -= 1;
      resizes.push(task);
    } else {
      waiting += 1;
    }
    return { ...row, task };
  });
  return { resizes, rows: after, waiting, replaced, refusal };
}

/** What failed with some is not given to others. */
function hasRolloutFailed({ service, status }: ServiceState): boolean {
  return status?.rollout.state === 'failed' && status.rollout.revision === service.revision;
}

/** At least one at a time: none of them stops. */
function turnSize({ spec }: Service): number {
  return Math.max(1, spec.update.maxSurge + spec.update.maxUnavailable);
}

function resized(task: Task, service: Service, key: string): Task {
  return { ...task, revision: service.revision, resourcesKey: key, container: { ...task.container, ...resourcesOf(service.spec.container) } };
}

/** True once every task that runs is held to what its record says. */
export function isEachInForce(rows: readonly TaskRow[]): boolean {
  return rows.every(row => hasEnded(row) || (!isResizing(row) && resizeRefusal(row) === undefined));
}
