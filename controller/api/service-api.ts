/** Writes on Apps, Services and Tasks other than apply. Each is one transaction that compares what it changes. */
import type { App, Service } from '#model/app.ts';
import { ClusterError } from '#model/errors.ts';
import { appId, serviceId, splitServiceId } from '#model/ids.ts';
import type { ServiceId } from '#model/ids.ts';
import type { ControlHandlers } from '#model/ports.ts';
import type { Versioned } from '#model/cluster-snapshot.ts';
import { isFinished } from '#model/task.ts';
import type { Task } from '#model/task.ts';
import { cronRunService, manualRunName } from '../reconcile/cron-run.ts';
import { encodeApp, encodeService, encodeTask } from '../store/records.ts';
import { buildKey } from '../store/keys.ts';
import type { Compare, Operation } from '../store/ports.ts';
import { requireRole } from './access.ts';
import { keptWish, templateHash } from './revision.ts';
import { writeOnce } from './write-once-flow.ts';
import type { Write, WriteDraft, WriteParts } from './write-once-flow.ts';

/** Source: reliability.md 10. */
export const MAX_REPLICAS = 10_000;

/** Each costs a compare and a write of the 120 a transaction has. */
const MAX_TASKS_WITH_GRACE = 100;
const MAX_GRACE_MS = 86_400_000;

export interface ServiceApiParts extends WriteParts {
  readonly signal: AbortSignal;
}

type ServiceHandlers = Pick<ControlHandlers, 'deleteApp' | 'deleteService' | 'scale' | 'restart' | 'runCron' | 'stopTask'>;

export function createServiceApi(parts: ServiceApiParts): ServiceHandlers {
  const write = async (one: Write, draft: () => WriteDraft): Promise<void> => {
    await writeOnce(one, parts, draft, parts.signal);
  };
  return {
    async deleteApp(request, peer) {
      requireRole(peer, 'operator');
      await write({ rpc: 'deleteApp', request }, () => draftDeleteApp(request, parts));
    },
    async deleteService(request, peer) {
      requireRole(peer, 'operator');
      await write({ rpc: 'deleteService', request }, () => changeService(request.service, parts, service => ({ ...service, isDeleting: true })));
    },
    async scale(request, peer) {
      requireRole(peer, 'operator');
      requireReplicas(request.replicas);
      await write({ rpc: 'scale', request }, () => changeService(request.service, parts, service => {
        requireScalable(service);
        return { ...service, spec: { ...service.spec, replicas: request.replicas }, scale: { replicas: request.replicas, revision: service.revision } };
      }));
    },
    async restart(request, peer) {
      requireRole(peer, 'operator');
      requireGrace(request.graceMs);
      await write({ rpc: 'restart', request }, () => withGrace(request, parts, changeService(request.service, parts, service => {
        requireTasks(service);
        const restartCount = service.restartCount + 1;
        const { rollout: _, ...rest } = service;
        return { ...rest, ...keptWish(service), restartCount, templateHash: templateHash(service.spec, service.pins, service.volumes, restartCount) };
      })));
    },
    async runCron(request, peer) {
      requireRole(peer, 'operator');
      const { namespace, app, service: cron } = splitServiceId(request.service);
      const name = manualRunName(cron, request.requestId);
      await write({ rpc: 'runCron', request }, () => draftRun(request.service, name, parts));
      return { service: serviceId(namespace, app, name) };
    },
    async stopTask(request, peer) {
      requireRole(peer, 'operator');
      requireGrace(request.graceMs);
      await write({ rpc: 'stopTask', request }, () => draftStopTask(request, parts));
    },
  };
}

/** @throws ClusterError INVALID_ARGUMENT */
function requireReplicas(replicas: number): void {
  if (!Number.isInteger(replicas) || replicas < 0 || replicas > MAX_REPLICAS) {
    throw new ClusterError('INVALID_ARGUMENT', `replicas must be 0..${String(MAX_REPLICAS)}, got ${String(replicas)}`);
  }
}

/** @throws ClusterError INVALID_ARGUMENT */
function requireGrace(graceMs: number | undefined): void {
  if (graceMs !== undefined && (!Number.isInteger(graceMs) || graceMs < 0 || graceMs > MAX_GRACE_MS)) {
    throw new ClusterError('INVALID_ARGUMENT', `graceMs must be 0..${String(MAX_GRACE_MS)}, got ${String(graceMs)}`);
  }
}

function requireScalable(service: Service): void {
  if (service.spec.kind === 'global' || service.spec.kind === 'job' || service.spec.kind === 'cron') {
    throw new ClusterError('FAILED_PRECONDITION', `service ${service.id} is of kind ${service.spec.kind}, which has no replicas to set`);
  }
  const { autoscale } = service.spec;
  if (autoscale !== undefined) {
    const [min, max] = [String(autoscale.min), String(autoscale.max)];
    throw new ClusterError('FAILED_PRECONDITION', `service ${service.id} scales by itself, from ${min} to ${max} replicas; apply it with another autoscale.min or autoscale.max, which hold at once, or without autoscale`);
  }
}

/** @throws ClusterError FAILED_PRECONDITION */
function requireTasks(service: Service): void {
  if (service.spec.kind === 'cron') {
    throw new ClusterError('FAILED_PRECONDITION', `service ${service.id} is a cron, which has no tasks of its own; run it now with: clusterctl trigger ${service.app}/${service.name}`);
  }
}

function draftDeleteApp({ namespace, app: name, withVolumes }: Parameters<ControlHandlers['deleteApp']>[0], parts: WriteParts): WriteDraft {
  const id = appId(namespace, name);
  const app = parts.state.current.apps.get(id);
  if (app === undefined) {
    throw new ClusterError('NOT_FOUND', `App ${id} does not exist`);
  }
  const deletesVolumes = withVolumes || app.value.deletesVolumes;
  if (app.value.isDeleting && app.value.deletesVolumes === deletesVolumes) {
    return { compares: [], operations: [], outcome: { kind: 'done' } };
  }
  // Runs of crons go with their App: there may be more of them than a transaction takes.
  const services = [...parts.state.current.services.values()].filter(({ value }) => appId(value.namespace, value.app) === id && value.cronRun === undefined);
  const deleted: App = { ...app.value, isDeleting: true, deletesVolumes, updatedAtMs: parts.clock.nowMs() };
  return {
    compares: [
      { kind: 'mod-revision', key: buildKey({ kind: 'app', id }), revision: app.modRevision },
      ...services.map(unchanged),
    ],
    operations: [
      { kind: 'put', key: buildKey({ kind: 'app', id }), value: encodeApp(deleted) },
      ...services.map((record): Operation => putService({ ...record.value, isDeleting: true, updatedAtMs: parts.clock.nowMs() })),
    ],
    outcome: { kind: 'done' },
  };
}

function changeService(id: ServiceId, parts: WriteParts, change: (service: Service) => Service): WriteDraft {
  const record = parts.state.current.services.get(id);
  if (record === undefined || record.value.isDeleting) {
    throw new ClusterError('NOT_FOUND', `service ${id} does not exist`);
  }
  return {
    compares: [unchanged(record)],
    operations: [putService({ ...change(record.value), updatedAtMs: parts.clock.nowMs() })],
    outcome: { kind: 'done' },
  };
}

/** A job as the cron is now, whatever its schedule, concurrency and suspension say. */
function draftRun(id: ServiceId, name: string, parts: WriteParts): WriteDraft {
  const { current } = parts.state;
  const cron = current.services.get(id);
  const app = cron === undefined ? undefined : current.apps.get(appId(cron.value.namespace, cron.value.app));
  if (cron === undefined || app === undefined) {
    throw new ClusterError('NOT_FOUND', `service ${id} does not exist`);
  }
  if (cron.value.spec.kind !== 'cron') {
    throw new ClusterError('FAILED_PRECONDITION', `service ${id} is of kind ${cron.value.spec.kind}; only a cron is run now`);
  }
  if (cron.value.isDeleting || app.value.isDeleting) {
    throw new ClusterError('FAILED_PRECONDITION', `service ${id} is being deleted`);
  }
  const nowMs = parts.clock.nowMs();
  const run = cronRunService(cron.value, name, { cron: cron.value.name, scheduledAtMs: nowMs, isManual: true }, nowMs);
  return {
    compares: [
      unchanged(cron), { kind: 'mod-revision', key: buildKey({ kind: 'service', id: run.id }), revision: 0 },
      { kind: 'mod-revision', key: buildKey({ kind: 'app', id: app.value.id }), revision: app.modRevision },
    ],
    operations: [putService(run)],
    outcome: { kind: 'done' },
  };
}

/** One that is stopping already is hurried by a shorter grace period: `scale` to nothing may have come first. */
function draftStopTask({ task: id, graceMs }: Parameters<ControlHandlers['stopTask']>[0], parts: WriteParts): WriteDraft {
  const task = parts.state.current.tasks.get(id);
  if (task === undefined) {
    throw new ClusterError('NOT_FOUND', `task ${id} is not known`);
  }
  const status = parts.state.current.statuses.get(id)?.value;
  const { desired, reason, container } = task.value;
  const isStopping = desired === 'stop';
  if ((isStopping && (graceMs ?? container.stopGracePeriodMs) >= container.stopGracePeriodMs) || (status !== undefined && isFinished(status.phase))) {
    return { compares: [], operations: [], outcome: { kind: 'done' } };
  }
  const key = buildKey({ kind: 'task', id });
  return {
    compares: [{ kind: 'mod-revision', key, revision: task.modRevision }],
    operations: [{ kind: 'put', key, value: encodeTask({ ...hurried(task.value, graceMs), desired: 'stop', reason: isStopping ? reason : 'stopped by an operator' }) }],
    outcome: { kind: 'done' },
  };
}

/** The tasks that a restart will stop get its grace period in the same transaction. @throws ClusterError FAILED_PRECONDITION for more than one can hold */
function withGrace({ service, graceMs }: Parameters<ControlHandlers['restart']>[0], { state }: WriteParts, draft: WriteDraft): WriteDraft {
  if (graceMs === undefined) {
    return draft;
  }
  const tasks = [...(state.current.tasksOfService.get(service) ?? [])].sort().flatMap(id => state.current.tasks.get(id) ?? []);
  if (tasks.length > MAX_TASKS_WITH_GRACE) {
    throw new ClusterError('FAILED_PRECONDITION', `service ${service} has ${String(tasks.length)} tasks; a grace period can be given for at most ${String(MAX_TASKS_WITH_GRACE)} at once`);
  }
  return {
    ...draft,
    compares: [...draft.compares, ...tasks.map((task): Compare => ({ kind: 'mod-revision', key: buildKey({ kind: 'task', id: task.value.id }), revision: task.modRevision }))],
    operations: [...draft.operations, ...tasks.map(({ value }): Operation => ({ kind: 'put', key: buildKey({ kind: 'task', id: value.id }), value: encodeTask(hurried(value, graceMs)) }))],
  };
}

function hurried(task: Task, graceMs: number | undefined): Task {
  return graceMs === undefined ? task : { ...task, container: { ...task.container, stopGracePeriodMs: graceMs } };
}

function unchanged(record: Versioned<Service>): Compare {
  return { kind: 'mod-revision', key: buildKey({ kind: 'service', id: record.value.id }), revision: record.modRevision };
}

function putService(service: Service): Operation {
  return { kind: 'put', key: buildKey({ kind: 'service', id: service.id }), value: encodeService(service) };
}
