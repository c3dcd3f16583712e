/** What an apply warns of: new tasks that fit nowhere now. It is accepted all the same; they stay pending. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { someTasks } from '#model/task-count.ts';
import { replicasInForce } from '../autoscale/replicas-in-force.ts';
import { explainRejection } from '../schedule/explain.ts';
import { schedule } from '../schedule/schedule.ts';
import type { PendingService } from '../schedule/schedule.ts';

/** One warning a service, in order of names. `services` are as they would be stored. */
export function previewWarnings(snapshot: ClusterSnapshot, services: readonly Service[]): readonly string[] {
  const wanted = services.filter(service => !service.isDeleting && service.spec.kind !== 'global' && service.spec.kind !== 'cron');
  const pending = wanted.map((service): PendingService => ({ service, slots: missingSlots(snapshot, service) }));
  const { rejections } = schedule(snapshot, pending);
  return wanted.flatMap(service => {
    const rejected = rejections.filter(one => one.service === service.id);
    const [first] = rejected;
    return first === undefined ? [] : [`service ${service.name}: ${someTasks(rejected.length, replicasOf(snapshot, service))} cannot be placed now: ${explainRejection(first)}`];
  });
}

function missingSlots(snapshot: ClusterSnapshot, service: Service): PendingService['slots'] {
  const taken = new Set([...(snapshot.tasksOfService.get(service.id) ?? [])].flatMap(id => snapshot.tasks.get(id)?.value.slot ?? []));
  return Array.from({ length: replicasOf(snapshot, service) }, (_, slot) => ({ slot })).filter(wanted => !taken.has(wanted.slot));
}

function replicasOf(snapshot: ClusterSnapshot, { id, spec }: Service): number {
  return replicasInForce(spec, snapshot.serviceStatuses.get(id)?.value);
}
