/** What tasks use, in `docker stats`' columns and units; `--` is what is not known. Source: docker/cli, cli/command/container/formatter_stats.go */
import type { TaskView } from '#model/ports.ts';
import type { TaskUsage } from '#model/usage.ts';
import { binarySize, decimalSize } from './docker-units.ts';
import type { Item } from './items.ts';
import type { Table } from './table.ts';
import type { Field, Fields } from './template.ts';
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

/** The columns of the table, by docker's names for `--format`. 100 % is one core. */
const COLUMNS = {
  ID: { heading: 'TASK ID', of: ({ view }) => view.task.id },
  Name: { heading: 'NAME', of: ({ view }) => view.task.name },
  Node: { heading: 'NODE', of: ({ view }) => view.task.node },
  CPUPerc: { heading: 'CPU %', of: ({ usage }) => (usage === undefined ? UNKNOWN : percent(usage.milliCpu, 1_000)) },
  MemUsage: measured('MEM USAGE / LIMIT', UNKNOWN_PAIR, ({ memoryBytes, memoryLimitBytes: limit }) => `${binarySize(memoryBytes)} / ${limit === 0 ? UNKNOWN : binarySize(limit)}`),
  MemPerc: measured('MEM %', UNKNOWN, sample => percent(sample.memoryBytes, sample.memoryLimitBytes)),
  NetIO: measured('NET I/O', UNKNOWN_PAIR, sample => `${decimalSize(sample.networkReceiveBytes)} / ${decimalSize(sample.networkTransmitBytes)}`),
  BlockIO: measured('BLOCK I/O', UNKNOWN_PAIR, sample => `${decimalSize(sample.ioReadBytes)} / ${decimalSize(sample.ioWriteBytes)}`),
  PIDs: measured('PIDS', UNKNOWN, sample => String(sample.processes)),
} satisfies Fields<StatsRow>;

export const STATS_FIELDS: Fields<StatsRow> = {
  ...COLUMNS, Container: COLUMNS.ID,
  Namespace: { heading: 'NAMESPACE', of: ({ view }) => view.task.namespace }, App: { heading: 'APP', of: ({ view }) => view.task.app }, Service: { heading: 'SERVICE', of: ({ view }) => view.task.service },
};

export function statsTable(rows: readonly StatsRow[]): Table {
  const columns: readonly Field<StatsRow>[] = Object.values(COLUMNS);
  return { head: columns.map(({ heading }) => heading), rows: rows.map(row => columns.map(column => column.of(row))) };
}

function measured(heading: string, unknown: string, of: (sample: TaskUsage['sample']) => string): Field<StatsRow> {
  return { heading, of: ({ usage }) => (usage === undefined ? unknown : of(usage.sample)) };
}

function percent(part: number | undefined, whole: number): string {
  return part === undefined || whole === 0 ? UNKNOWN : `${((part / whole) * 100).toFixed(2)}%`;
}
