import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { News } from '#news/ports.ts';
import type { AgentMetrics } from './metrics.ts';
import type { TaskRecord } from './task/record.ts';
import { readUsages } from './usage-flow.ts';
import type { UsageSources } from './usage-flow.ts';
import { sampleOf } from './usage.ts';

export interface UsageParts extends UsageSources {
  readonly node: NodeId;
  readonly records: () => readonly TaskRecord[];
  readonly news: Pick<News, 'publishUsage'>;
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
    const usages = await readUsages(records, this.#parts);
    metrics.setTasks(records.map(record => record.step), usages);
    for (const usage of usages) {
      this.#parts.onOomKills(usage.task.id, usage.attempt, usage.oomKills);
      news.publishUsage(sampleOf(usage, node, clock.nowMs()));
    }
  }
}
