/** What tasks use now, asked of their nodes. */
import { ClusterError } from '#model/errors.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { ControlClient, TaskView } from '#model/ports.ts';
import type { Tunnel, TunnelFrame } from '#model/tunnel.ts';
import { milliCpuBetween } from '#model/usage-rate.ts';
import type { TaskUsage, UsageSample } from '#model/usage.ts';
import type { StatsRow } from '../format/stats.ts';
import type { Shell } from '../ports.ts';
import { tunnelError } from './tunnel-flow.ts';

export interface MeterOptions {
  readonly shell: Shell;
  readonly client: ControlClient;
  readonly intervalMs: number;
  /** Also what their writable layers hold, which takes their nodes a walk. */
  readonly withWritable?: boolean;
}

/** A node that gives no sample for so long is not waited for. */
const ANSWER_MS = 5_000;

/** Those that have processes. */
export function isMeasurable({ state }: TaskView): boolean {
  return state === 'running' || state === 'paused' || state === 'stopping';
}

type Some<T> = readonly [T, ...T[]];

interface Line {
  /** The tasks that were asked for, as text. */
  readonly key: string;
  readonly tunnel: Tunnel;
  readonly frames: AsyncIterator<TunnelFrame>;
}

/** One tunnel to each node for as long as the same tasks of it are asked for; the newest usage of each task. */
export class UsageMeter implements AsyncDisposable {
  readonly #options: MeterOptions;
  readonly #lines = new Map<NodeId, Line>();
  readonly #usages = new Map<TaskId, TaskUsage>();

  constructor(options: MeterOptions) {
    this.#options = options;
  }

  rows(tasks: readonly TaskView[]): readonly StatsRow[] {
    return tasks.map(view => {
      const usage = isMeasurable(view) ? this.#usages.get(view.task.id) : undefined;
      return { view, ...(usage === undefined ? {} : { usage }) };
    });
  }

  /** Waits for the next sample of each of these tasks that runs. @returns the failures of nodes */
  async measure(tasks: readonly TaskView[]): Promise<readonly ClusterError[]> {
    const byNode = Map.groupBy(tasks.filter(isMeasurable).map(({ task }) => task), task => task.node);
    for (const node of [...this.#lines.keys()].filter(one => !byNode.has(one))) {
      this.#close(node);
    }
    const failures = await Promise.all([...byNode].map(async ([node, of]) => {
      try {
        const [first, ...rest] = of.map(({ id }) => id).toSorted();
        if (first !== undefined) await this.#listen(node, [first, ...rest]);
        return [];
      } catch (error) {
        this.#close(node);
        of.forEach(({ id }) => this.#usages.delete(id));
        this.#options.shell.signal.throwIfAborted();
        if (!(error instanceof ClusterError)) throw error;
        return [new ClusterError(error.code, `node/${node}: ${error.message}`, { cause: error })];
      }
    }));
    return failures.flat();
  }

  [Symbol.asyncDispose](): Promise<void> {
    [...this.#lines.keys()].forEach(node => { this.#close(node); });
    return Promise.resolve();
  }

  async #listen(node: NodeId, tasks: Some<TaskId>): Promise<void> {
    const line = this.#open(node, tasks);
    const stop = new AbortController();
    const late = this.#options.shell.clock.sleep(ANSWER_MS, AbortSignal.any([this.#options.shell.signal, stop.signal])).then((): never => {
      throw new ClusterError('UNAVAILABLE', `no sample within ${String(ANSWER_MS / 1_000)} s`);
    });
    late.catch(() => { /* raced below, or stopped */ });
    try {
      await Promise.race([this.#take(node, line, tasks.length), late]);
    } finally {
      stop.abort();
    }
  }

  #open(node: NodeId, tasks: Some<TaskId>): Line {
    const known = this.#lines.get(node);
    const key = tasks.join(' ');
    if (known?.key === key) {
      return known;
    }
    this.#close(node);
    const { client, shell, intervalMs, withWritable = false } = this.#options;
    const tunnel = client.openTunnel({ task: tasks[0], spec: { kind: 'stats', tasks, intervalMs, withWritable } }, shell.signal);
    const line = { key, tunnel, frames: tunnel.frames[Symbol.asyncIterator]() };
    this.#lines.set(node, line);
    return line;
  }

  /** Until a sample of each came, or a second one of some: the others do not run any more. */
  async #take(node: NodeId, { frames }: Line, count: number): Promise<void> {
    const seen = new Set<TaskId>();
    while (seen.size < count) {
      const next = await frames.next();
      if (next.done === true || next.value.kind === 'eof') {
        this.#close(node);
        return;
      }
      if (next.value.kind === 'error') {
        throw tunnelError(next.value);
      }
      if (next.value.kind === 'usage') {
        const { sample } = next.value;
        this.#keep(sample);
        if (seen.has(sample.task)) return;
        seen.add(sample.task);
      }
    }
  }

  #keep(sample: UsageSample): void {
    const milliCpu = milliCpuBetween(this.#usages.get(sample.task)?.sample, sample);
    this.#usages.set(sample.task, { sample, ...(milliCpu === undefined ? {} : { milliCpu }) });
  }

  #close(node: NodeId): void {
    this.#lines.get(node)?.tunnel.close();
    this.#lines.delete(node);
  }
}
