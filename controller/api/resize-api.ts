/** `update`: the resources of a service, as its App's next Revision, or of one task alone. */
import type { App, Revision, Service } from '#model/app.ts';
import type { Versioned } from '#model/cluster-snapshot.ts';
import { ClusterError } from '#model/errors.ts';
import { appId } from '#model/ids.ts';
import type { ServiceId, TaskId } from '#model/ids.ts';
import type { ControlHandlers } from '#model/ports.ts';
import { changeResources } from '#model/resource-change.ts';
import { checkResources } from '#model/resource-rules.ts';
import { resourcesKey, resourcesOf } from '#model/resources.ts';
import type { ResourceChange } from '#model/resources.ts';
import type { ContainerSpec } from '#model/service.ts';
import { isSameJson } from '#model/same-json.ts';
import { isFinished } from '#model/task.ts';
import type { Task } from '#model/task.ts';
import { ledgerAfter } from '../reconcile/transactions.ts';
import { GrowthRoom } from '../schedule/growth.ts';
import { buildKey } from '../store/keys.ts';
import type { RecordKey } from '../store/keys.ts';
import type { Compare } from '../store/ports.ts';
import { decodeRevision, encodeApp, encodeLedger, encodeRevision, encodeService, encodeTask } from '../store/records.ts';
import { requireRole } from './access.ts';
import { keptWish } from './revision.ts';
import { declaredServices } from './rollout-api.ts';
import type { ServiceApiParts } from './service-api.ts';
import { undoneService } from './undo.ts';
import type { CurrentService } from './undo.ts';
import { requireValid } from './violations.ts';
import { writeOnce } from './write-once-flow.ts';
import type { WriteDraft } from './write-once-flow.ts';

const NOTHING_TO_DO: WriteDraft = { compares: [], operations: [], outcome: { kind: 'done' } };

export function createResizeApi(parts: ServiceApiParts): Pick<ControlHandlers, 'updateResources'> {
  return {
    async updateResources(request, peer) {
      const { target, change } = request;
      requireRole(peer, 'operator');
      const draft = async (): Promise<WriteDraft> => (target.kind === 'task' ? draftTask(target.task, change, parts) : await draftService(target.service, change, parts));
      await writeOnce({ rpc: 'updateResources', request }, parts, draft, parts.signal);
    },
  };
}

/** The next Revision is what is in force with this service changed; the others keep the Revision they have, also one that they were rolled back to. */
async function draftService(id: ServiceId, change: ResourceChange, parts: ServiceApiParts): Promise<WriteDraft> {
  const { services, apps } = parts.state.current;
  const service = services.get(id);
  const app = service === undefined ? undefined : apps.get(appId(service.value.namespace, service.value.app));
  if (service === undefined || app === undefined || service.value.isDeleting || app.value.isDeleting) {
    throw new ClusterError('NOT_FOUND', `service ${id} does not exist`);
  }
  const container = changed(service.value.spec.container, change);
  if (container === undefined) {
    return NOTHING_TO_DO;
  }
  const revisionKey = (number: number): RecordKey => ({ kind: 'revision', app: app.value.id, number });
  const entry = await parts.store.get(buildKey(revisionKey(app.value.revision)), parts.signal);
  if (entry === undefined) {
    throw new ClusterError('FAILED_PRECONDITION', `revision ${String(app.value.revision)} of App ${app.value.id} is not there; apply its manifest again`);
  }
  const revision = inForce(decodeRevision(entry.value), service.value, declaredServices(app.value.id, parts));
  const next = nextRecords({ app: app.value, service: service.value, revision }, container, parts.clock.nowMs());
  return {
    compares: [unchanged({ kind: 'app', id: app.value.id }, app), unchanged({ kind: 'service', id }, service)],
    operations: [
      { kind: 'put', key: buildKey({ kind: 'app', id: app.value.id }), value: encodeApp(next.app) },
      { kind: 'put', key: buildKey(revisionKey(next.app.revision)), value: encodeRevision(next.revision) },
      { kind: 'put', key: buildKey({ kind: 'service', id }), value: encodeService(next.service) },
    ],
    outcome: { kind: 'done' },
  };
}

/** The newest Revision may have been rolled back, for all services or for some. @throws ClusterError as `undoneService` */
function inForce(newest: Revision, { name, spec, pins, volumes, revision: number }: Service, current: ReadonlyMap<string, CurrentService>): Revision {
  const isNewest = (service: Service): boolean => isSameJson(newest.services.find(one => one.name === service.name), service.spec)
    && isSameJson(newest.pins, service.pins) && isSameJson(newest.volumes, service.volumes);
  if ([...current.values()].every(({ service }) => isNewest(service))) {
    return newest;
  }
  const { app, pins: pinsInForce } = undoneService({ ...newest, number, services: [spec], pins, volumes }, name, current);
  return { ...newest, services: app.services.toSorted((left, right) => (left.name < right.name ? -1 : 1)), volumes: app.volumes, pins: pinsInForce };
}

interface Records {
  readonly app: App;
  readonly service: Service;
  readonly revision: Revision;
}

function nextRecords({ app, service, revision }: Records, container: ContainerSpec, nowMs: number): Records {
  const number = app.revision + 1;
  const spec = { ...service.spec, container };
  return {
    app: { ...app, revision: number, updatedAtMs: nowMs },
    service: { ...withoutWish(service), spec, revision: number, updatedAtMs: nowMs, ...keptWish(service) },
    revision: { ...revision, number, createdAtMs: nowMs, cause: `update of the resources of ${service.name}`, services: revision.services.map(one => (one.name === service.name ? spec : one)) },
  };
}

function withoutWish({ rollout: _, ...service }: Service): Service {
  return service;
}

/** Only in place, and only where its node has room: a task is never replaced because one task was changed. */
function draftTask(id: TaskId, change: ResourceChange, parts: ServiceApiParts): WriteDraft {
  const { current } = parts.state;
  const task = current.tasks.get(id);
  if (task === undefined) {
    throw new ClusterError('NOT_FOUND', `task ${id} is not known`);
  }
  const status = current.statuses.get(id)?.value;
  if (task.value.desired === 'stop' || (status !== undefined && isFinished(status.phase))) {
    throw new ClusterError('FAILED_PRECONDITION', `task ${id} does not run any more`);
  }
  const container = changed(task.value.container, change);
  if (container === undefined) {
    return NOTHING_TO_DO;
  }
  const next: Task = { ...task.value, container };
  requireRoom(task.value, next, parts);
  const ledger = current.ledgers.get(task.value.node);
  return {
    compares: [
      unchanged({ kind: 'task', id }, task),
      { kind: 'mod-revision', key: buildKey({ kind: 'ledger', id: task.value.node }), revision: ledger?.modRevision ?? 0 },
    ],
    operations: [
      { kind: 'put', key: buildKey({ kind: 'task', id }), value: encodeTask(next) },
      { kind: 'put', key: buildKey({ kind: 'ledger', id: task.value.node }), value: encodeLedger(ledgerAfter(current, task.value.node, [next])) },
    ],
    outcome: { kind: 'done' },
  };
}

/** @throws ClusterError FAILED_PRECONDITION */
function requireRoom(task: Task, next: Task, { state }: ServiceApiParts): void {
  const service = state.current.services.get(task.serviceId)?.value;
  const obstacle = service === undefined ? `service ${task.serviceId} is not there any more` : new GrowthRoom(state.current, service).grant(task, next);
  if (obstacle !== undefined) {
    throw new ClusterError('FAILED_PRECONDITION', `task ${task.id} cannot have that where it runs: ${obstacle}; update its service to have it placed anew`);
  }
}

/** The container with the change, checked; undefined where it is none. @throws ClusterError INVALID_ARGUMENT */
function changed(container: ContainerSpec, change: ResourceChange): ContainerSpec | undefined {
  const next = changeResources(resourcesOf(container), change);
  requireValid(checkResources(next, 'resources'));
  return resourcesKey(next) === resourcesKey(container) ? undefined : { ...container, ...next };
}

function unchanged(key: RecordKey, record: Versioned<unknown>): Compare {
  return { kind: 'mod-revision', key: buildKey(key), revision: record.modRevision };
}
