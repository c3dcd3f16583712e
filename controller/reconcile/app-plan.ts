/** The end of an App: when `run` Apps expire, and when a deleted one is gone. */
import type { App } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { AppId, ServiceId } from '#model/ids.ts';
import { EMPTY_PLAN } from './plan.ts';
import type { Plan } from './plan.ts';
import { rowsOf } from './task-row.ts';
import { givenUpVolumes } from './volume-plan.ts';

/** Gives up the volumes of an App that is deleted with them; removes a deleted App once it has no Services; deletes a `run` App `expireAfterEndMs` after its last task ended. */
export function planApp(snapshot: ClusterSnapshot, id: AppId, nowMs: number): Plan {
  const record = snapshot.apps.get(id);
  if (record === undefined) {
    return EMPTY_PLAN;
  }
  const app = record.value;
  if (app.isDeleting) {
    const givenUp = app.deletesVolumes ? givenUpVolumes(snapshot, record) : [];
    if (givenUp.length > 0) {
      return { actions: givenUp, events: [] };
    }
    const isEmpty = servicesOf(snapshot, app).length === 0;
    return isEmpty ? { actions: [{ kind: 'remove-app', appId: id, reason: 'app-deleted' }], events: [] } : EMPTY_PLAN;
  }
  const endMs = app.expireAfterEndMs === undefined ? undefined : endOf(snapshot, app);
  if (endMs === undefined || app.expireAfterEndMs === undefined) {
    return EMPTY_PLAN;
  }
  const expiresAtMs = endMs + app.expireAfterEndMs;
  return nowMs < expiresAtMs
    ? { actions: [], events: [], wakeAtMs: expiresAtMs }
    : { actions: [{ kind: 'delete-app', appId: id, reason: 'expired' }], events: [] };
}

function servicesOf(snapshot: ClusterSnapshot, app: App): readonly { readonly id: ServiceId; readonly isOver: boolean }[] {
  return [...snapshot.services.values()]
    .filter(({ value }) => value.namespace === app.namespace && value.app === app.name)
    .map(({ value }) => {
      const rollout = snapshot.serviceStatuses.get(value.id)?.value.rollout;
      return { id: value.id, isOver: rollout?.state === 'settled' || rollout?.state === 'failed' };
    });
}

/** When the last task of a job-only App ended; undefined while one may still run or come. */
function endOf(snapshot: ClusterSnapshot, app: App): number | undefined {
  const services = servicesOf(snapshot, app);
  const ends = services.flatMap(service => rowsOf(snapshot, service.id).map(row => row.status?.finishedAtMs));
  const isOver = services.every(service => service.isOver) && ends.every(end => end !== undefined);
  return isOver ? Math.max(app.updatedAtMs, ...ends) : undefined;
}
