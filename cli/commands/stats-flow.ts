/** `stats`: what tasks use now, asked of their nodes, so that it needs no news between the parts of the cluster. */
import { ClusterError } from '#model/errors.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { ClusterView, ControlClient, TaskView } from '#model/ports.ts';
import type { Tunnel, TunnelFrame } from '#model/tunnel.ts';
import { milliCpuBetween } from '#model/usage-rate.ts';
import type { TaskUsage, UsageSample } from '#model/usage.ts';
import { statsItem, statsTable } from '../format/stats.ts';
import type { StatsRow } from '../format/stats.ts';
import { listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import { requireWorkload } from '../target.ts';
import { hasLabels } from './get-flow.ts';
import { printListing } from './print-flow.ts';
import { tunnelError } from './tunnel-flow.ts';

export interface StatsFlags {
  /** False with --no-stream. */
  readonly stream?: boolean;
  readonly all?: boolean;
}

/** Docker's pace. */
const INTERVAL_MS = 1_000;
/** A node that gives no sample for so long is not waited for. */
const ANSWER_MS = 5_000;

export async function showStats(shell: Shell, names: readonly string[], flags: StatsFlags): Promise<void> {
  const client = await shell.connect();
  await using meter = new Meter(shell, client);
  const look = async (): Promise<readonly TaskView[]> => tasksMeant(shell, await viewOf(shell, client), names, flags);
  if (flags.stream === false) {
    const tasks = await look();
    const failures = [...await meter.measure(tasks), ...await meter.measure(tasks)];
    await print(shell, meter.rows(tasks));
    if (failures[0] !== undefined) {
      throw failures[0];
    }
    return;
  }
  for (;;) {
    const tasks = await look();
    const endMs = shell.clock.monotonicMs() + INTERVAL_MS;
    await meter.measure(tasks);
    await shell.terminal.write(shell.terminal.isOutputTerminal && shell.options.output === 'table' ? '\x1b[H\x1b[2J' : '');
    await print(shell, meter.rows(tasks));
    // The nodes set the pace; where none measures, the clock does.
    await shell.clock.sleep(Math.max(0, endMs - shell.clock.monotonicMs()), shell.signal);
  }
}

async function viewOf(shell: Shell, client: ControlClient): Promise<ClusterView> {
  const namespace = listNamespace(shell.options);
  return await client.view(namespace === undefined ? {} : { namespace });
}

/** Those that have processes, unless all are wanted or it is named itself. */
function tasksMeant(shell: Shell, view: ClusterView, names: readonly string[], { all }: StatsFlags): readonly TaskView[] {
  const named = names.map(name => requireWorkload(name, view));
  const single = new Set(named.flatMap(({ found }) => (found.kind === 'task' ? [found.task.task.id] : [])));
  const tasks = names.length === 0 ? view.tasks.filter(({ task }) => hasLabels(shell, view, task.serviceId)) : named.flatMap(workload => workload.tasks);
  return [...new Map(tasks.map(one => [one.task.id, one])).values()].filter(one => all === true || single.has(one.task.id) || isMeasurable(one));
}

function isMeasurable({ state }: TaskView): boolean {
  return state === 'running' || state === 'paused' || state === 'stopping';
}

async function print(shell: Shell, rows: readonly StatsRow[]): Promise<void> {
  const items = rows.map(statsItem);
  if (shell.options.output === 'json') {
    await shell.terminal.write(items.map(item => `${JSON.stringify(item)}\n`).join(''));
    return;
  }
  await printListing(shell, { items, table: statsTable(rows), names: rows.map(row => `task/${row.view.task.id}`), isSingle: false });
}

type Some<T> = readonly [T, ...T[]];

interface Line {
  /** The tasks that were asked for, as text. */
  readonly key: string;
  readonly tunnel: Tunnel;
  readonly frames: AsyncIterator<TunnelFrame>;
}

/** One tunnel to each node for as long as the same tasks of it are asked for; the newest usage of each task. */
class Meter implements AsyncDisposable {
  readonly #shell: Shell;
  readonly #client: ControlClient;
  readonly #lines = new Map<NodeId, Line>();
  readonly #usages = new Map<TaskId, TaskUsage>();

  constructor(shell: Shell, client: ControlClient) {
    this.#shell = shell;
    this.#client = client;
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
        this.#shell.signal.throwIfAborted();
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
    const late = this.#shell.clock.sleep(ANSWER_MS, AbortSignal.any([this.#shell.signal, stop.signal])).then((): never => {
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
    const tunnel = this.#client.openTunnel({ task: tasks[0], spec: { kind: 'stats', tasks, intervalMs: INTERVAL_MS } }, this.#shell.signal);
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
