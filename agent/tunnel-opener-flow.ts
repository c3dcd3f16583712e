import { ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import type { Tunnel } from '#model/tunnel.ts';
import type { SessionSink } from './ports.ts';
import { containerId } from './task/names.ts';
import type { TaskRecords } from './task/ports.ts';
import type { TaskRecord } from './task/record.ts';
import type { TunnelTarget } from './tunnel/ports.ts';
import { serveTunnel } from './tunnel/tunnel-flow.ts';
import type { TunnelServices } from './tunnel/tunnel-flow.ts';

/** A task as a tunnel sees it. */
export interface ReachableTask {
  readonly record: TaskRecord;
  /** Aborts when the running attempt ended. */
  readonly ended: AbortSignal;
}

export interface TunnelOpenerParts {
  readonly find: (task: TaskId) => ReachableTask | undefined;
  readonly dialBack: (address: string, tunnelId: string, signal: AbortSignal) => Tunnel;
  readonly records: Pick<TaskRecords, 'logPath'>;
  readonly services: TunnelServices;
}

/** Answers a controller's request for a tunnel: dials back, then serves it. @throws ClusterError NOT_FOUND before it dials, for a task that is not here */
export function tunnelOpener(parts: TunnelOpenerParts): SessionSink['openTunnel'] {
  return async (address, { tunnelId, request }, signal) => {
    const task = parts.find(request.task);
    if (task === undefined) {
      throw new ClusterError('NOT_FOUND', `task ${request.task} is not on this node`);
    }
    const tunnel = parts.dialBack(address, tunnelId, signal);
    await serveTunnel({ tunnel, spec: request.spec, target: targetOf(task, parts.records) }, parts.services, signal);
  };
}

function targetOf({ record, ended }: ReachableTask, records: Pick<TaskRecords, 'logPath'>): TunnelTarget {
  const { task, attempt, step, container, slot, lastExit } = record;
  const logged = step === 'idle' || step === 'finished' ? lastExit?.attempt ?? attempt : attempt;
  return {
    containerId: containerId(task.id, attempt),
    networkNamespacePath: slot?.networkNamespacePath ?? '',
    logPath: records.logPath(task.id, logged),
    ended,
    ...(step === 'running' && container !== undefined ? { container: container.container } : {}),
  };
}
