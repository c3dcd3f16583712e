import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import { quoted } from '#model/printable.ts';
import type { TaskTunnelRequest, Tunnel } from '#model/tunnel.ts';
import type { NodeImages } from './image/node-images-flow.ts';
import type { SessionSink } from './ports.ts';
import { withDebugContainer } from './task/debug-flow.ts';
import type { DebugParts } from './task/debug-flow.ts';
import type { LogName } from './task/log-name.ts';
import { reachOf } from './task/host-network.ts';
import { containerId } from './task/names.ts';
import type { TaskRecords } from './task/ports.ts';
import type { TaskRecord } from './task/record.ts';
import type { TunnelTarget } from './tunnel/ports.ts';
import { answered, serveTunnel } from './tunnel/tunnel-flow.ts';
import type { TunnelServices } from './tunnel/tunnel-flow.ts';

/** A task as a tunnel sees it. */
export interface ReachableTask {
  readonly record: TaskRecord;
  /** Aborts when the running attempt ended. */
  readonly ended: AbortSignal;
  /** The same of a companion's run. */
  readonly companionEnded: (index: number) => AbortSignal;
  readonly stop: (graceMs: number | undefined) => void;
}

export interface TunnelOpenerParts {
  readonly find: (task: TaskId) => ReachableTask | undefined;
  readonly dialBack: (address: string, tunnelId: string, signal: AbortSignal) => Tunnel;
  readonly images: Pick<NodeImages, 'answer'>;
  readonly records: Pick<TaskRecords, 'logPath' | 'previousLogPath'>;
  readonly services: TunnelServices;
  readonly debug: DebugParts;
}

/** Answers a controller's request for a tunnel: dials back, then serves it. @throws ClusterError NOT_FOUND before it dials, for a task or a container that is not here */
export function tunnelOpener(parts: TunnelOpenerParts): SessionSink['openTunnel'] {
  return async (address, { tunnelId, request, login }, signal) => {
    if ('node' in request) {
      const tunnel = parts.dialBack(address, tunnelId, signal);
      await answered(tunnel, async () => { await parts.images.answer(tunnel, { spec: request.images, login }, signal); }, signal);
      return;
    }
    const task = parts.find(request.task);
    if (task === undefined) {
      throw new ClusterError('NOT_FOUND', `task ${request.task} is not on this node`);
    }
    const target = await targetOf(task, request, parts);
    const tunnel = parts.dialBack(address, tunnelId, signal);
    await serveTunnel({ tunnel, spec: request.spec, target }, parts.services, signal);
  };
}

/** @throws ClusterError NOT_FOUND for a container that the task does not have, or a run before that left no log */
async function targetOf(found: ReachableTask, request: TaskTunnelRequest, { records, debug }: TunnelOpenerParts): Promise<TunnelTarget> {
  const one = containerOf(found, request.container);
  const { task, slot } = found.record;
  const wantsPrevious = request.spec.kind === 'logs' && request.spec.previous;
  const logPath = wantsPrevious ? await records.previousLogPath(task.id, one.log) : records.logPath(task.id, one.log);
  if (logPath === undefined) {
    throw new ClusterError('NOT_FOUND', `no run before the newest one of ${request.container ?? task.service} left a log on this node`);
  }
  return {
    task: task.id,
    isPaused: task.isPaused,
    containerId: containerId(task.id, one.log.attempt, one.log.companion),
    networkNamespacePath: slot === undefined ? '' : reachOf(task, slot).networkNamespacePath,
    logPath,
    ended: wantsPrevious ? AbortSignal.abort() : one.ended,
    stop: graceMs => {
      if (one.log.companion !== undefined) throw new ClusterError('INVALID_ARGUMENT', 'stop: a companion ends with its task');
      found.stop(graceMs);
    },
    debug: async (spec, use, signal) => {
      if (one.container === undefined) {
        throw new ClusterError('FAILED_PRECONDITION', `container ${request.container ?? task.service} of task ${task.id} is not running`);
      }
      await withDebugContainer({ record: found.record, container: one.container, spec, use }, debug, signal);
    },
    ...(one.container === undefined ? {} : { container: one.container }),
  };
}

interface ReachableContainer {
  readonly log: LogName;
  /** Absent: it does not run now. */
  readonly container?: ProcessIdentity;
  readonly ended: AbortSignal;
}

function containerOf(found: ReachableTask, name: string | undefined): ReachableContainer {
  return name === undefined || name === found.record.task.service ? mainOf(found) : companionOf(found, name);
}

function mainOf({ record, ended }: ReachableTask): ReachableContainer {
  const { attempt, step, container, lastExit } = record;
  const logged = step === 'idle' || step === 'finished' ? lastExit?.attempt ?? attempt : attempt;
  return { log: { attempt: logged }, ended, ...(step === 'running' && container !== undefined ? { container: container.container } : {}) };
}

function companionOf({ record, companionEnded }: ReachableTask, name: string): ReachableContainer {
  const names = (record.task.companions ?? []).map(companion => companion.name);
  const index = names.indexOf(name);
  if (index < 0) {
    throw new ClusterError('NOT_FOUND', `task ${record.task.id} has no container ${quoted(name)}; it has ${[record.task.service, ...names].join(', ')}`);
  }
  const { run = 0, step, container } = record.companions?.[index] ?? {};
  return {
    log: { attempt: record.attempt, companion: { index, run } },
    ended: companionEnded(index),
    ...(step === 'running' && container !== undefined ? { container: container.container } : {}),
  };
}
