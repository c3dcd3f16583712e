/** What is taken of each node by unfinished tasks. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { requestsOf } from '#model/companion.ts';
import { NO_RESOURCES, addResources } from '#model/resources.ts';
import type { Resources } from '#model/resources.ts';
import type { ContainerSpec } from '#model/service.ts';
import { isFinished } from '#model/task.ts';
import type { Task } from '#model/task.ts';

/** `node-table.ts` has the same in columns, for the scheduler. */
export interface NodeLoad {
  readonly node: Node;
  used: Resources;
}

/** Every node with what its unfinished tasks ask for, in order of ids. Tasks that are to stop count until they ended. */
export function nodeLoads(snapshot: ClusterSnapshot): readonly NodeLoad[] {
  const loads = [...snapshot.nodes.values()].map(({ value: node }) => ({ node, used: NO_RESOURCES }));
  loads.sort((left, right) => (left.node.id < right.node.id ? -1 : 1));
  for (const load of loads) {
    for (const task of unfinishedTasksOn(snapshot, load.node.id)) {
      load.used = addResources(load.used, requestsOf(task));
    }
  }
  return loads;
}

export function unfinishedTasksOn(snapshot: ClusterSnapshot, node: NodeId): readonly Task[] {
  return [...(snapshot.tasksOnNode.get(node) ?? [])].flatMap(id => {
    const task = snapshot.tasks.get(id)?.value;
    return task === undefined || isEnded(snapshot, task) ? [] : [task];
  });
}

/** True when the agent reported that nothing of the task will run again. */
export function isEnded(snapshot: ClusterSnapshot, task: Task): boolean {
  const status = snapshot.statuses.get(task.id)?.value;
  return status !== undefined && isFinished(status.phase);
}

/** `protocol/port` of every port that the task's node must have free, sorted. */
export function hostPortsOf(container: ContainerSpec): readonly string[] {
  return container.ports
    .flatMap(port => (port.mode === 'host' && port.published !== undefined ? [`${port.protocol}/${String(port.published)}`] : []))
    .sort();
}
