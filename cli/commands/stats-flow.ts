/** `stats`: what tasks use now, asked of their nodes, so that it needs no news between the parts of the cluster. */
import type { ClusterView, ControlClient, TaskView } from '#model/ports.ts';
import { STATS_FIELDS, statsItem, statsTable } from '../format/stats.ts';
import type { StatsRow } from '../format/stats.ts';
import { readFormat } from '../format/template.ts';
import type { RowFormat } from '../format/template.ts';
import { listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import { requireWorkload } from '../target.ts';
import { inOrder } from '../task-order.ts';
import { hasLabels } from './get-flow.ts';
import { jsonLines, printListing } from './print-flow.ts';
import { isMeasurable, UsageMeter } from './usage-meter-flow.ts';

export interface StatsFlags {
  /** False with --no-stream. */
  readonly stream?: boolean;
  readonly all?: boolean;
  readonly format?: string;
}

/** Docker's pace. */
const INTERVAL_MS = 1_000;

export async function showStats(shell: Shell, names: readonly string[], flags: StatsFlags): Promise<void> {
  const format = readFormat(flags.format, STATS_FIELDS);
  const client = await shell.connect();
  await using meter = new UsageMeter({ shell, client, intervalMs: INTERVAL_MS });
  const look = async (): Promise<readonly TaskView[]> => tasksMeant(shell, await viewOf(shell, client), names, flags);
  if (flags.stream === false) {
    const tasks = await look();
    const failures = [...await meter.measure(tasks), ...await meter.measure(tasks)];
    await print(shell, meter.rows(tasks), format);
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
    await print(shell, meter.rows(tasks), format);
    // The nodes set the pace; where none measures, the clock does.
    await shell.clock.sleep(Math.max(0, endMs - shell.clock.monotonicMs()), shell.signal);
  }
}

async function viewOf(shell: Shell, client: ControlClient): Promise<ClusterView> {
  const namespace = listNamespace(shell.options);
  return inOrder(await client.view(namespace === undefined ? {} : { namespace }));
}

/** Those that have processes, unless all are wanted or it is named itself. */
function tasksMeant(shell: Shell, view: ClusterView, names: readonly string[], { all }: StatsFlags): readonly TaskView[] {
  const named = names.map(name => requireWorkload(name, view));
  const single = new Set(named.flatMap(({ found }) => (found.kind === 'task' ? [found.task.task.id] : [])));
  const tasks = names.length === 0 ? view.tasks.filter(({ task }) => hasLabels(shell, view, task.serviceId)) : named.flatMap(workload => workload.tasks);
  return [...new Map(tasks.map(one => [one.task.id, one])).values()].filter(one => all === true || single.has(one.task.id) || isMeasurable(one));
}

async function print(shell: Shell, rows: readonly StatsRow[], format: RowFormat<StatsRow> | undefined): Promise<void> {
  const items = rows.map(statsItem);
  if (format === undefined && shell.options.output === 'json') {
    await shell.terminal.write(jsonLines(shell, items));
    return;
  }
  await printListing(shell, { items, table: statsTable(rows), names: rows.map(row => `task/${row.view.task.id}`), isSingle: false, ...(format === undefined ? {} : { formatted: format.write(rows) }) });
}
