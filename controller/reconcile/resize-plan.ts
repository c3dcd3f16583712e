/** A change of resources alone: which tasks get it in place, where they run, and which have to be replaced for it. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { requestsOf } from '#model/companion.ts';
import { missingCpu } from '#model/cpuset.ts';
import type { TaskId } from '#model/ids.ts';
import { addResources, fitsInto, resourcesKey, resourcesOf, subtractResources } from '#model/resources.ts';
import type { Resources } from '#model/resources.ts';
import type { ContainerSpec } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import { freeOf, nodeLoads } from '../schedule/node-load.ts';
import type { NodeLoad } from '../schedule/node-load.ts';
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
  /** What a node says against the change; undefined: none does. */
  readonly refusal: string | undefined;
}

/**
 * In place where the template is the same and the node has room for the difference; as many at a time as an update may touch, each after the ones
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
  const loads = new Map(nodeLoads(snapshot).map(load => [load.node.id, load]));
  const resizes: Task[] = [];
  const replaced = new Map<TaskId, string>();
  let waiting = 0;
  let room = turnSize(service) - rows.filter(isResizing).length;
  const after = rows.map((row): TaskRow => {
    const load = loads.get(row.task.node);
    if (!isDue(row) || load === undefined || isOnLostNode(row)) {
      return row;
    }
    const task = resized(row.task, service, wanted);
    const sizes = { before: requestsOf(row.task), after: requestsOf(task) };
    const obstacle = findObstacle(task.container, sizes, load);
    if (obstacle !== undefined) {
      replaced.set(row.task.id, obstacle);
      return row;
    }
    if (room > 0) {
      room -= 1;
      resizes.push(task);
      load.used = addResources(load.used, subtractResources(sizes.after, sizes.before));
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

/** What a task asks of its node, companions included. */
interface Sizes {
  readonly before: Resources;
  readonly after: Resources;
}

/** At least one at a time: none of them stops. */
function turnSize({ spec }: Service): number {
  return Math.max(1, spec.update.maxSurge + spec.update.maxUnavailable);
}

function resized(task: Task, service: Service, key: string): Task {
  return { ...task, revision: service.revision, resourcesKey: key, container: { ...task.container, ...resourcesOf(service.spec.container) } };
}

/** Why the node cannot give the task what its service asks for now. A smaller request always fits. */
function findObstacle({ limits }: ContainerSpec, { before, after }: Sizes, load: NodeLoad): string | undefined {
  const missing = limits.cpuset === undefined ? undefined : missingCpu(limits.cpuset, load.node.cpus);
  if (missing !== undefined) {
    return `${load.node.id} has no cpu ${String(missing)}`;
  }
  return fitsInto(after, before) || fitsInto(after, addResources(freeOf(load), before)) ? undefined : `${load.node.id} has no room for it`;
}

/** True once every task that runs is held to what its record says. */
export function isEachInForce(rows: readonly TaskRow[]): boolean {
  return rows.every(row => hasEnded(row) || (!isResizing(row) && resizeRefusal(row) === undefined));
}
