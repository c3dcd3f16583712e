/** Where a task that shares the machine's network is found: it has a slot like any other, and nothing listens there. */
import type { Task } from '#model/task.ts';
import type { NetworkSlot } from '../network/ports.ts';

/** The agent is in the machine's network namespace itself. */
const HOST_NETWORK = { networkNamespacePath: '/proc/self/ns/net', address: '127.0.0.1' } as const;

export function isOnHostNetwork(task: Task): boolean {
  return task.container.security.hostNamespaces.includes('network');
}

/** The namespace and the address at which the task's ports are reached from this machine. */
export function reachOf(task: Task, slot: NetworkSlot): Pick<NetworkSlot, 'networkNamespacePath' | 'address'> {
  return isOnHostNetwork(task) ? HOST_NETWORK : { networkNamespacePath: slot.networkNamespacePath, address: slot.address };
}
