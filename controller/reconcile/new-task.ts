/** A Task as it is born: with its node, a name of its own, and a fence above all before it. */
import { createHash } from 'node:crypto';
import { containersOf } from '#model/companion.ts';
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { taskIdFromBytes, taskName } from '#model/ids.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import { resourcesKey } from '#model/resources.ts';
import type { DeviceUnits, Task } from '#model/task.ts';
import type { PlanContext } from './plan-context.ts';
import { rowsOf } from './task-row.ts';

export interface NewTaskInput {
  readonly service: Service;
  readonly slot: number;
  readonly node: NodeId;
  readonly reason: string;
  readonly deviceUnits?: readonly DeviceUnits[];
}

/**
 * The fence is the etcd revision of the snapshot, which is above that of every task it holds; the id is derived from it,
 * so that one decision made twice makes one task, and no two decisions the same id.
 */
export function newTask(snapshot: ClusterSnapshot, context: PlanContext, input: NewTaskInput): Task {
  const { service, slot, node, reason, deviceUnits } = input;
  const earlier = rowsOf(snapshot, service.id).filter(row => row.task.slot === slot).map(row => row.task.fence);
  const fence = Math.max(snapshot.etcdRevision, ...earlier.map(one => one + 1));
  const createRevision = snapshot.services.get(service.id)?.createRevision ?? 0;
  const id = taskIdFrom([context.clusterId, service.id, String(createRevision), String(slot), String(fence)]);
  return {
    id, name: taskName(service.name, slot, id, service.spec.kind === 'stateful'),
    namespace: service.namespace, app: service.app, service: service.name, serviceId: service.id, kind: service.spec.kind,
    slot, node, revision: service.revision, templateHash: service.templateHash, container: service.spec.container,
    ...(service.spec.companions === undefined ? {} : { companions: service.spec.companions }),
    pins: service.pins, volumes: service.volumes.filter(volume => usesVolume(service, volume.name)),
    desired: 'run', reason, fence, isPaused: false, resourcesKey: resourcesKey(service.spec.container), createdAtMs: context.nowMs,
    ...(deviceUnits === undefined ? {} : { deviceUnits }),
    ...(service.spec.onDisconnect.kind === 'exclusive' ? { stopAfterMs: service.spec.onDisconnect.stopAfterMs } : {}),
    ...(service.spec.job?.timeoutMs === undefined ? {} : { timeoutMs: service.spec.job.timeoutMs }),
  };
}

function taskIdFrom(parts: readonly string[]): TaskId {
  return taskIdFromBytes(createHash('sha256').update(parts.join('|')).digest());
}

function usesVolume(service: Service, name: string): boolean {
  return containersOf(service.spec).some(container => container.volumes.some(mount => mount.kind === 'volume' && mount.source === name));
}
