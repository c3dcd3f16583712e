/** One run of a cron: a job beside it, with a name of its own. */
import type { CronRun, Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { serviceId } from '#model/ids.ts';
import { templateHash } from '../api/revision.ts';

const MINUTE_MS = 60_000;

/** `report-29384756` by the minute that it is for, as Kubernetes names the Jobs of a CronJob: one time makes one run, whoever decides. */
export function scheduledRunName(cron: string, scheduledAtMs: number): string {
  return `${cron}-${String(Math.floor(scheduledAtMs / MINUTE_MS))}`;
}

/** `report-run-3fa9c2d1`, from the request that asked for it (a UUID): the same request names the same run. */
export function manualRunName(cron: string, requestId: string): string {
  return `${cron}-run-${requestId.replaceAll('-', '').slice(0, 8)}`;
}

/** As the cron is now; later changes of the cron do not touch it. */
export function cronRunService(cron: Service, name: string, run: CronRun, nowMs: number): Service {
  const { cron: _, ...rest } = cron.spec;
  const spec = { ...rest, name, kind: 'job' } as const;
  return {
    ...cron, id: serviceId(cron.namespace, cron.app, name), name, spec, templateHash: templateHash(spec, cron.pins, cron.volumes, 0),
    virtualIp: '', isDeleting: false, restartCount: 0, createdAtMs: nowMs, updatedAtMs: nowMs, cronRun: run,
  };
}

/** All runs of the cron that there are, also those being deleted; in the order of their times, then names. */
export function runsOf(snapshot: ClusterSnapshot, cron: Service): readonly Service[] {
  return [...snapshot.services.values()].map(entry => entry.value)
    .filter(one => one.cronRun?.cron === cron.name && one.app === cron.app && one.namespace === cron.namespace)
    .sort((left, right) => (left.cronRun?.scheduledAtMs ?? 0) - (right.cronRun?.scheduledAtMs ?? 0) || (left.name < right.name ? -1 : 1));
}
