/** What the tasks of an agent tell, and to whom. */
import { systemClock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { containersOf } from '#model/companion.ts';
import type { Digest } from '#model/digest.ts';
import type { TaskId } from '#model/ids.ts';
import type { News } from '#news/ports.ts';
import { EMPTY_DESIRED_SET } from './assignment.ts';
import type { DesiredSet } from './assignment.ts';
import type { HeldImage } from './image/held-images.ts';
import type { AgentMetrics } from './metrics.ts';
import type { SessionLoop } from './session-loop.ts';
import type { TaskRecord } from './task/record.ts';
import type { ReportBook } from './task/report-book.ts';
import type { TaskEvents, TaskParts } from './task/ports.ts';

/** The images that tasks of this node need, those that only stop and those that somebody looks into among them. */
export function tasksByDigest(records: readonly TaskRecord[], assignment: DesiredSet, held: readonly HeldImage[]): ReadonlyMap<Digest, readonly TaskId[]> {
  const named = new Map<Digest, Set<TaskId>>();
  const tasks = [...records.map(record => record.task), ...assignment.tasks.values()];
  const needed = tasks.flatMap(task => containersOf(task).map(container => ({ id: task.id, digest: container.digest })));
  for (const { id, digest } of [...needed, ...held.map(one => ({ id: one.task, digest: one.digest }))]) {
    if (digest !== undefined) named.set(digest, (named.get(digest) ?? new Set()).add(id));
  }
  return new Map([...named].map(([digest, ids]) => [digest, [...ids].sort()]));
}

/** Without a readable assignment, what the records say is wanted: a lost file stops nothing. */
export function desiredAsRecorded(records: readonly TaskRecord[]): DesiredSet {
  return { ...EMPTY_DESIRED_SET, tasks: new Map(records.map(record => [record.task.id, record.task])) };
}

export function statusSink(reports: ReportBook, session: SessionLoop): TaskParts['statuses'] {
  return {
    report: status => {
      if (reports.take(status, systemClock.monotonicMs())) {
        session.poke();
      }
    },
    drop: task => { reports.drop(task); },
  };
}

export function taskEvents(to: { readonly log: Logger; readonly metrics: AgentMetrics; readonly news: Pick<News, 'publishEvent'> }): TaskEvents {
  return {
    happened({ type, task, reason, message }) {
      const atMs = systemClock.nowMs();
      to.log.info({ task: task.id, service: task.serviceId, reason, message }, 'task event');
      to.metrics.countEvent(reason);
      to.news.publishEvent({ type, object: `task/${task.id}`, reason, message, firstAtMs: atMs, lastAtMs: atMs, count: 1 });
    },
  };
}
