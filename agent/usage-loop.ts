import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { News } from '#news/ports.ts';
import type { Cgroups } from './cgroup/ports.ts';
import type { AgentMetrics, TaskUsage } from './metrics.ts';
import { hostNumberOfSlot } from './network/link-names.ts';
import type { LinkCounters } from './network/link-counters.ts';
import type { ContainerUsage } from './runtime/ports.ts';
import { claimedContainers } from './task/record.ts';
import type { TaskRecord } from './task/record.ts';

export interface UsageParts {
  readonly node: NodeId;
  readonly cgroups: Pick<Cgroups, 'usage'>;
  readonly records: () => readonly TaskRecord[];
  /** By the name of a task's link. */
  readonly linkCounters: () => Promise<ReadonlyMap<string, LinkCounters>>;
  readonly taskLinkPrefix: string;
  readonly news: Pick<News, 'publishUsage'> | undefined;
  readonly metrics: AgentMetrics;
  /** Told of each running attempt, at each sample, how many of its processes the kernel killed for memory so far. */
  readonly onOomKills: (task: TaskId, attempt: number, oomKills: number) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const SAMPLE_INTERVAL_MS = 2_000;

/** Samples what each running task uses: for /metrics, as news, and to tell of processes that were killed for memory. Nothing depends on it. */
export class UsageLoop {
  readonly #parts: UsageParts;

  constructor(parts: UsageParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, metrics } = this.#parts;
    for (;;) {
      const dueAtMs = clock.monotonicMs() + SAMPLE_INTERVAL_MS;
      await clock.sleep(SAMPLE_INTERVAL_MS, signal).catch(() => { /* the next line sees the signal */ });
      if (signal.aborted) {
        return;
      }
      metrics.setLag(Math.max(0, clock.monotonicMs() - dueAtMs));
      await this.#sample().catch((error: unknown) => { log.warn({ err: error }, 'usage not sampled'); });
    }
  }

  async #sample(): Promise<void> {
    const { metrics, news, node, clock } = this.#parts;
    const records = this.#parts.records();
    const links = await this.#parts.linkCounters();
    const usages = await Promise.all(records.filter(record => record.step === 'running').map(async record => await this.#usageOf(record, links)));
    const seen = usages.filter(usage => usage !== undefined);
    metrics.setTasks(records.map(record => record.step), seen);
    for (const usage of seen) {
      this.#parts.onOomKills(usage.task.id, usage.attempt, usage.oomKills);
      const { cpuMicroseconds, memoryBytes, memoryLimitBytes, processes } = usage;
      news?.publishUsage({ node, task: usage.task.id, atMs: clock.nowMs(), cpuMicroseconds, memoryBytes, memoryLimitBytes, processes });
    }
  }

  async #usageOf(record: TaskRecord, links: ReadonlyMap<string, LinkCounters>): Promise<TaskUsage | undefined> {
    const { task, attempt, restarts, slot } = record;
    const usage = sumUsages(await Promise.all(claimedContainers(record).map(async id => await this.#parts.cgroups.usage(id))));
    const hostNumber = slot === undefined ? undefined : hostNumberOfSlot(slot.id);
    const link = hostNumber === undefined ? undefined : links.get(`${this.#parts.taskLinkPrefix}${String(hostNumber)}`);
    return usage === undefined ? undefined : { task, attempt, restarts, ...usage, link };
  }
}

/** What all containers of a task use together; undefined when none is there any more. */
function sumUsages(usages: readonly (ContainerUsage | undefined)[]): ContainerUsage | undefined {
  return usages.reduce((sum, one) => (sum === undefined || one === undefined ? sum ?? one : {
    cpuMicroseconds: sum.cpuMicroseconds + one.cpuMicroseconds,
    memoryBytes: sum.memoryBytes + one.memoryBytes,
    memoryLimitBytes: sum.memoryLimitBytes + one.memoryLimitBytes,
    processes: sum.processes + one.processes,
    oomKills: sum.oomKills + one.oomKills,
  }), undefined);
}
