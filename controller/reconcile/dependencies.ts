/** What a service waits for before its first tasks of a Revision. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Service } from '#model/app.ts';
import { serviceId } from '#model/ids.ts';
import type { Dependency } from '#model/service.ts';
import { jobDone } from './job-status.ts';
import { isDone, isServing, isUpToDate, rowsOf } from './task-row.ts';
import type { TaskRow } from './task-row.ts';

/** The first dependency that is not met, as a reason; undefined when all are. */
export function unmetDependency(snapshot: ClusterSnapshot, service: Service): string | undefined {
  for (const dependency of service.spec.dependsOn) {
    const target = snapshot.services.get(serviceId(service.namespace, service.app, dependency.service))?.value;
    if (target === undefined) {
      return `waits for ${dependency.service}, which is not there`;
    }
    if (dependency.condition !== 'service_healthy' && isJobOver(snapshot, target)) {
      continue;
    }
    const rows = rowsOf(snapshot, target.id).filter(row => isUpToDate(row, target));
    if (!isMet(dependency.condition, target, rows)) {
      return `waits for ${dependency.service} to be ${WORDS[dependency.condition]}`;
    }
  }
  return undefined;
}

/** It ended well, also when its tasks are forgotten. */
function isJobOver(snapshot: ClusterSnapshot, service: Service): boolean {
  const done = jobDone(service, snapshot.serviceStatuses.get(service.id)?.value)?.completions ?? 0;
  return service.spec.kind === 'job' && done >= service.spec.replicas;
}

const WORDS = {
  service_started: 'started', service_healthy: 'healthy', service_completed_successfully: 'complete',
} satisfies Record<Dependency['condition'], string>;

/** One task of the current template is enough for `started` and `healthy`; `completed` asks for every slot. */
function isMet(condition: Dependency['condition'], target: Service, rows: readonly TaskRow[]): boolean {
  switch (condition) {
    case 'service_started':
      return rows.some(row => row.status?.startedAtMs !== undefined);
    case 'service_healthy':
      return rows.some(isServing);
    case 'service_completed_successfully': {
      const complete = rows.filter(row => row.status?.phase === 'complete' && isDone(row, target)).map(row => row.task.slot);
      return new Set(complete).size >= target.spec.replicas;
    }
  }
}
