/** What an apply warns of: new tasks that fit nowhere now. It is accepted all the same; they stay pending. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { someTasks } from '#model/task-count.ts';
import { replicasInForce } from '../autoscale/replicas-in-force.ts';
import { PaperCluster } from '../reconcile/paper-cluster.ts';
import { isStopFirst } from '../reconcile/slot-plan.ts';
import type { WantedSlot } from '../reconcile/slot-plan.ts';
import { isLive, isUpToDate, rowsOf } from '../reconcile/task-row.ts';
import type { TaskRow } from '../reconcile/task-row.ts';
import { wantedSlots } from '../reconcile/wanted-slots.ts';
import { explainRejection } from '../schedule/explain.ts';
import { rejectedSlots, schedule } from '../schedule/schedule.ts';
import type { PendingService } from '../schedule/schedule.ts';

/** One warning a service, in order of names; none for a slot that tasks of lower priority make room for. `services` are as they would be stored. */
export function previewWarnings(snapshot: ClusterSnapshot, services: readonly Service[]): readonly string[] {
  const paper = new PaperCluster(snapshot);
  const pending = services.filter(({ spec }) => spec.kind !== 'cron').map((service): PendingService => ({ service, slots: startingSlots(paper, service) }));
  const { rejections, preemptions } = schedule(paper.snapshot, pending);
  const getsRoom = new Set(preemptions.map(({ service, slot }) => `${service} ${String(slot)}`));
  const waiting = rejections.map(one => ({ ...one, slots: one.slots.filter(slot => !getsRoom.has(`${one.service} ${String(slot)}`)) })).filter(one => one.slots.length > 0);
  return pending.flatMap(({ service }) => {
    const rejected = waiting.filter(one => one.service === service.id);
    const [first] = rejected;
    return first === undefined ? [] : [`service ${service.name}: ${someTasks(rejectedSlots(rejected), countOf(snapshot, service))} cannot be placed now: ${explainRejection(first)}`];
  });
}

/** Slots that get a task as soon as it fits; tasks that leave before that are taken off the paper. */
function startingSlots(paper: PaperCluster, service: Service): readonly WantedSlot[] {
  const { snapshot } = paper;
  const live = Map.groupBy(rowsOf(snapshot, service.id).filter(isLive), row => row.task.slot);
  const wanted = service.isDeleting ? [] : wantedOf(snapshot, service);
  const kept = new Set(wanted.map(one => one.slot));
  const outdated = wanted.filter(({ slot }) => isOutdated(live.get(slot) ?? [], service));
  const replaced = new Set(isStopFirst(service) || service.spec.update.maxUnavailable > 0 ? outdated.map(one => one.slot) : []);
  for (const row of [...live.values()].flat().filter(({ task }) => !kept.has(task.slot) || replaced.has(task.slot))) {
    paper.apply({ kind: 'remove-task', taskId: row.task.id, reason: '' });
  }
  const isStarting = ({ slot }: WantedSlot): boolean => !live.has(slot) || replaced.has(slot);
  const surging = outdated.filter(one => !isStarting(one)).slice(0, service.spec.update.maxSurge);
  const starting = [...wanted.filter(isStarting), ...surging].sort((left, right) => left.slot - right.slot);
  const { parallelism } = service.spec.job ?? {};
  return parallelism === undefined ? starting : starting.slice(0, Math.max(0, parallelism - live.size));
}

function wantedOf(snapshot: ClusterSnapshot, service: Service): readonly WantedSlot[] {
  const status = snapshot.serviceStatuses.get(service.id)?.value;
  return wantedSlots(snapshot, { service, rows: rowsOf(snapshot, service.id), ...(status === undefined ? {} : { status }) });
}

/** Its task is replaced: another template, or other resources, which only its node can say to fit in place. */
function isOutdated(rows: readonly TaskRow[], service: Service): boolean {
  return rows.length > 0 && rows.every(row => row.task.templateHash !== service.templateHash) && !rows.some(row => isUpToDate(row, service));
}

function countOf(snapshot: ClusterSnapshot, service: Service): number {
  return service.spec.kind === 'global' ? wantedOf(snapshot, service).length : replicasInForce(service.spec, snapshot.serviceStatuses.get(service.id)?.value);
}
