/** What tasks use, in `docker stats`' columns and units; `--` is what is not known. Source: docker/cli, cli/command/container/formatter_stats.go */
import type { TaskView } from '#model/ports.ts';
import type { TaskUsage } from '#model/usage.ts';
import { binarySize, decimalSize } from './docker-units.ts';
import type { Item } from './items.ts';
import type { Table } from './table.ts';
import { taskUsageItem } from './usage.ts';

export interface StatsRow {
  readonly view: TaskView;
  /** Absent: it does not run, or its node gave no answer. */
  readonly usage?: TaskUsage;
}

const UNKNOWN = '--';
const UNKNOWN_PAIR = '-- / --';
const NOT_MEASURED: Item = {
  milliCpu: null, memoryBytes: null, memoryLimitBytes: null, processes: null,
  networkReceiveBytes: null, networkTransmitBytes: null, ioReadBytes: null, ioWriteBytes: null, sampledAt: null,
};

/** The item of `top`, with the state. */
export function statsItem({ view, usage }: StatsRow): Item {
  const { id, name, namespace, app, service, node } = view.task;
  return { ...(usage === undefined ? { id, name, namespace, app, service, node, ...NOT_MEASURED } : taskUsageItem({ view, usage })), state: view.state };
}

/** 100 % is one core. */
export function statsTable(rows: readonly StatsRow[]): Table {
  return { head: ['TASK ID', 'NAME', 'NODE', 'CPU %', 'MEM USAGE / LIMIT', 'MEM %', 'NET I/O', 'BLOCK I/O', 'PIDS'], rows: rows.map(cells) };
}

function cells({ view: { task }, usage }: StatsRow): readonly string[] {
  const names = [task.id, task.name, task.node];
  if (usage === undefined) {
    return [...names, UNKNOWN, UNKNOWN_PAIR, UNKNOWN, UNKNOWN_PAIR, UNKNOWN_PAIR, UNKNOWN];
  }
  const { sample, milliCpu } = usage;
  const limit = sample.memoryLimitBytes;
  return [
    ...names, percent(milliCpu, 1_000), `${binarySize(sample.memoryBytes)} / ${limit === 0 ? UNKNOWN : binarySize(limit)}`, percent(sample.memoryBytes, limit),
    `${decimalSize(sample.networkReceiveBytes)} / ${decimalSize(sample.networkTransmitBytes)}`, `${decimalSize(sample.ioReadBytes)} / ${decimalSize(sample.ioWriteBytes)}`,
    String(sample.processes),
  ];
}

function percent(part: number | undefined, whole: number): string {
  return part === undefined || whole === 0 ? UNKNOWN : `${((part / whole) * 100).toFixed(2)}%`;
}
