/** What is taken of each node: by unfinished tasks, and by what one call places. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { requestsOf } from '#model/companion.ts';
import type { ContainerSet } from '#model/companion.ts';
import { NO_RESOURCES, addResources, subtractResources } from '#model/resources.ts';
import type { Resources } from '#model/resources.ts';
import type { ContainerSpec } from '#model/service.ts';
import { isFinished } from '#model/task.ts';
import type { Task } from '#model/task.ts';

/** Changes while a call places: `take` counts a placement in. */
export interface NodeLoad {
  readonly node: Node;
  used: Resources;
  /** Of that, what tasks that are to stay ask for: what stops soon does not make a node worse. */
  wanted: Resources;
  /** `protocol/port` of host-mode ports that have an owner. */
  readonly hostPorts: Set<string>;
  /** Units of named devices that are some task's. */
  readonly devices: Map<string, number>;
}

/** Every node with what its unfinished tasks ask for, in order of ids. Tasks that are to stop count until they ended. */
export function nodeLoads(snapshot: ClusterSnapshot): readonly NodeLoad[] {
  const loads = [...snapshot.nodes.values()].map(({ value: node }) => ({ node, used: NO_RESOURCES, wanted: NO_RESOURCES, hostPorts: new Set<string>(), devices: new Map<string, number>() }));
  loads.sort((left, right) => (left.node.id < right.node.id ? -1 : 1));
  for (const load of loads) {
    for (const task of unfinishedTasksOn(snapshot, load.node.id)) {
      take(load, task, task.desired === 'run');
    }
  }
  return loads;
}

function unfinishedTasksOn(snapshot: ClusterSnapshot, node: NodeId): readonly Task[] {
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

export function take(load: NodeLoad, set: ContainerSet, isWanted: boolean): void {
  const requests = requestsOf(set);
  load.used = addResources(load.used, requests);
  if (isWanted) {
    load.wanted = addResources(load.wanted, requests);
  }
  for (const port of hostPortsOf(set.container)) {
    load.hostPorts.add(port);
  }
  for (const { name, count } of set.container.deviceRequests) {
    load.devices.set(name, (load.devices.get(name) ?? 0) + count);
  }
}

export function freeOf(load: NodeLoad): Resources {
  return subtractResources(load.node.capacity, load.used);
}

/** Units of the device that no task has. */
export function freeDevices(load: NodeLoad, name: string): number {
  const declared = load.node.policy.devices.find(device => device.name === name)?.count ?? 0;
  return declared - (load.devices.get(name) ?? 0);
}

/** `protocol/port` of every port that the task's node must have free, sorted. */
export function hostPortsOf(container: ContainerSpec): readonly string[] {
  return container.ports
    .flatMap(port => (port.mode === 'host' && port.published !== undefined ? [`${port.protocol}/${String(port.published)}`] : []))
    .sort();
}
