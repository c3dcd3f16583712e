/** `ps`: tasks as docker's `ps` shows containers. */
import { ClusterError } from '#model/errors.ts';
import { parseNodeId } from '#model/ids.ts';
import type { TaskId } from '#model/ids.ts';
import type { ImageConfig } from '#model/node-images.ts';
import { nearestWord } from '#model/nearest-word.ts';
import { printable, quoted } from '#model/printable.ts';
import { isFinished } from '#model/task.ts';
import type { ClusterView, ListFilter, TaskView } from '#model/ports.ts';
import { pendingItem, taskItem } from '../format/items.ts';
import { taskTable, withSizes } from '../format/rows.ts';
import { taskFields } from '../format/template-fields.ts';
import type { TaskFormatRow } from '../format/template-fields.ts';
import { readFormat } from '../format/template.ts';
import { listNamespace } from '../options.ts';
import { pendingOmitted } from '../pending-omitted.ts';
import type { Shell } from '../ports.ts';
import { requireTarget } from '../target.ts';
import type { Found } from '../target.ts';
import { hasLabels, listingOf, printViews } from './get-flow.ts';
import type { GetFlags } from './get-flow.ts';
import { readImages } from './image-flow.ts';
import type { Listing } from './print-flow.ts';
import { UsageMeter } from './usage-meter-flow.ts';

export interface PsFlags extends GetFlags {
  readonly all?: boolean;
  readonly size?: boolean;
  readonly node?: string;
  readonly filter?: readonly string[];
  readonly format?: string;
}

/** While it is watched, sizes are counted this often. */
const SIZE_INTERVAL_MS = 2_000;

/** Tasks; with `names` only those of these services, apps or nodes, or these themselves. */
export async function listTasks(shell: Shell, names: readonly string[], flags: PsFlags): Promise<void> {
  const namespace = listNamespace(shell.options);
  const filter: ListFilter = { ...(namespace === undefined ? {} : { namespace }), ...(flags.node === undefined ? {} : { node: parseNodeId(flags.node) }) };
  const conditions = (flags.filter ?? []).map(readFilter);
  const format = readFormat(flags.format, taskFields(shell.clock.nowMs()));
  const wantsCommands = format?.uses.has('Command') === true;
  const wantsSizes = flags.size === true || format?.uses.has('Size') === true;
  const client = await shell.connect();
  await using meter = new UsageMeter({ shell, client, intervalMs: SIZE_INTERVAL_MS, withWritable: true });
  const isWhole = flags.node === undefined && conditions.length === 0 && names.length === 0;
  if (flags.node !== undefined) {
    requireTarget(`node/${flags.node}`, await client.view({}), ['node']);
  }
  await printViews(shell, { client, filter }, flags, async view => {
    const named = names.map(name => requireTarget(name, view, ['service', 'task', 'app', 'node']));
    requireFields(view, conditions);
    const tasks = view.tasks.filter(task => (flags.all === true || !isFinished(task.status?.phase ?? 'pending')) && (named.length === 0 || named.some(one => isTaskOf(one, task)))
      && conditions.every(condition => holds(condition, task)) && hasLabels(shell, view, task.task.serviceId));
    const pending = isWhole ? view.pending : [];
    const services = isWhole ? view.services.filter(({ service }) => hasLabels(shell, view, service.id)) : [];
    const measured = wantsSizes ? await measureSizes(tasks, meter) : undefined;
    const listing = measured === undefined ? listingOf(shell, { ...view, tasks, pending, services }, 'task', false) : { ...sizedListing(shell, { tasks, pending }, measured), pendingOmitted: pendingOmitted({ services, pending }) };
    return format === undefined ? listing : { ...listing, formatted: format.write(formatRows({ tasks, pending }, { measured, images: wantsCommands ? await imagesOf(shell, tasks) : undefined })) };
  });
}

interface AskedOfNodes {
  readonly measured: MeasuredSizes | undefined;
  readonly images: ReadonlyMap<TaskId, ImageConfig> | undefined;
}

function formatRows({ tasks, pending }: Shown, { measured, images }: AskedOfNodes): readonly TaskFormatRow[] {
  return [
    ...tasks.map(task => ({ slot: { task }, writableBytes: measured?.sizes.get(task.task.id), image: images?.get(task.task.id) })),
    ...pending.map(slot => ({ slot: { pending: slot } })),
  ];
}

/** The image of each task whose node answers, where the task has no whole command of its own. What is not known is told, and left out. */
async function imagesOf(shell: Shell, tasks: readonly TaskView[]): Promise<ReadonlyMap<TaskId, ImageConfig>> {
  const node = [...new Set(tasks.filter(({ task: { container } }) => container.entrypoint === undefined).map(({ task }) => task.node))];
  try {
    const { rows, notice } = node.length === 0 ? { rows: [], notice: '' } : await readImages(shell, { node });
    await tellUnknown(shell, notice);
    return new Map(rows.flatMap(row => row.nodes.flatMap(one => one.tasks.map(task => [task, row.config] as const))));
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    await tellUnknown(shell, error.message);
    return new Map();
  }
}

async function tellUnknown(shell: Shell, why: string): Promise<void> {
  if (why !== '' && !shell.options.isQuiet) {
    await shell.terminal.writeError(`commands of images unknown: ${printable(why)}\n`);
  }
}

/** As docker's filter a name that is part of the task's; of all other fields the whole value. */
function holds([key, value]: readonly [string, string], view: TaskView): boolean {
  return key === 'name' ? view.task.name.includes(value) : String(taskItem(view)[key]) === value;
}

/** True for a task that `found` is, has or runs. */
function isTaskOf(found: Found, { task }: TaskView): boolean {
  switch (found.kind) {
    case 'app': return task.namespace === found.app.namespace && task.app === found.app.name;
    case 'service': return task.serviceId === found.service.service.id;
    case 'task': return task.id === found.task.task.id;
    case 'node': return task.node === found.node.node.id;
  }
}

/** @throws ClusterError INVALID_ARGUMENT for a field that no task has */
function requireFields(view: ClusterView, conditions: readonly (readonly [string, string])[]): void {
  const [first] = view.tasks;
  const known = first === undefined ? undefined : Object.keys(taskItem(first));
  const unknown = conditions.find(([key]) => known?.includes(key) === false);
  if (unknown !== undefined && known !== undefined) {
    const near = nearestWord(unknown[0], known);
    throw new ClusterError('INVALID_ARGUMENT', `--filter: a task has no field ${quoted(unknown[0])}; ${near === undefined ? `it has ${known.join(', ')}` : `did you mean '${near}'?`}`);
  }
}

type Shown = Pick<ClusterView, 'tasks' | 'pending'>;

interface MeasuredSizes {
  /** What each task that runs wrote, as its node counts it now. */
  readonly sizes: ReadonlyMap<TaskId, number | undefined>;
  readonly failures: readonly ClusterError[];
}

async function measureSizes(tasks: readonly TaskView[], meter: UsageMeter): Promise<MeasuredSizes> {
  const failures = await meter.measure(tasks);
  return { failures, sizes: new Map(meter.rows(tasks).map(({ view, usage }) => [view.task.id, usage?.sample.writableBytes])) };
}

function sizedListing(shell: Shell, { tasks, pending }: Shown, { sizes, failures }: MeasuredSizes): Listing {
  return {
    items: [...tasks.map(view => ({ ...taskItem(view), writableBytes: sizes.get(view.task.id) ?? null })), ...pending.map(slot => ({ ...pendingItem(slot), writableBytes: null }))],
    table: withSizes(taskTable({ tasks, pending }, shell.clock.nowMs(), { isWide: shell.options.output === 'wide', isOfAll: shell.options.isAllNamespaces }), tasks.map(view => sizes.get(view.task.id))),
    names: tasks.map(({ task }) => `task/${task.id}`), isSingle: false,
    ...(failures.length === 0 ? {} : { notice: failures.map(failure => `sizes unknown: ${printable(failure.message)}`).join('\n') }),
  };
}

function readFilter(text: string): readonly [string, string] {
  const [key = '', value] = text.split('=');
  if (value === undefined) {
    throw new ClusterError('INVALID_ARGUMENT', `--filter ${text}: write field=value, such as state=running`);
  }
  return [key, value];
}
