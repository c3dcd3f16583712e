import type { Clock } from '#kit/clock.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { ClusterUsage } from '#model/usage.ts';
import type { News } from '#news/ports.ts';
import type { ClusterState, UsageSource } from './ports.ts';
import { UsageTable } from './usage-table.ts';

export interface UsageLoopParts {
  readonly news: Pick<News, 'usage' | 'isConnected'>;
  readonly state: Pick<ClusterState, 'current'>;
  readonly clock: Clock;
}

/** Hears what agents say that tasks use, and keeps the newest. Every replica does: any of them can answer. */
export class UsageLoop implements Loop, UsageSource {
  readonly #parts: UsageLoopParts;
  readonly #table = new UsageTable();

  constructor(parts: UsageLoopParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { news, state, clock } = this.#parts;
    for await (const sample of news.usage(undefined, signal)) {
      if (state.current.tasks.get(sample.task)?.value.node === sample.node) {
        this.#table.add(sample, clock.monotonicMs());
      }
    }
  }

  now(): ClusterUsage {
    const { news, state, clock } = this.#parts;
    return { isNatsConnected: news.isConnected, tasks: this.#table.recent(task => state.current.tasks.has(task), clock.monotonicMs()) };
  }
}
