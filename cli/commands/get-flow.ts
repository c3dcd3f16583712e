/** `get TYPE [NAME]` and `ps`: lists. */
import { ClusterError } from '#model/errors.ts';
import { parseNodeId } from '#model/ids.ts';
import { nearestWord } from '#model/nearest-word.ts';
import { printable, quoted } from '#model/printable.ts';
import { isFinished } from '#model/task.ts';
import type { ClusterView, ControlClient, ListFilter, TaskView } from '#model/ports.ts';
import { appItem, nodeItem, pendingItem, serviceItem, taskItem } from '../format/items.ts';
import { appTable, nodeTable, serviceTable, taskTable, withSizes } from '../format/rows.ts';
import { listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import { describeFound, parseType, requireTarget } from '../target.ts';
import type { Found, TargetType } from '../target.ts';
import { listConfigs } from './content-flow.ts';
import { listEvents } from './events-flow.ts';
import { printListing } from './print-flow.ts';
import type { Listing } from './print-flow.ts';
import { listSecrets } from './secret-flow.ts';
import { UsageMeter } from './usage-meter-flow.ts';

export interface GetFlags {
  readonly watch?: boolean;
}

export interface PsFlags extends GetFlags {
  readonly all?: boolean;
  readonly size?: boolean;
  readonly node?: string;
  readonly filter?: readonly string[];
}

/** While it is watched, sizes are counted this often. */
const SIZE_INTERVAL_MS = 2_000;

export async function getObjects(shell: Shell, typeWord: string, names: readonly string[], flags: GetFlags): Promise<void> {
  const [typeText = '', ...rest] = typeWord.split('/');
  const type = parseType(typeText);
  const wanted = rest.length > 0 ? [rest.join('/'), ...names] : names;
  if (type === 'secret') {
    await listSecrets(shell, wanted);
    return;
  }
  if (type === 'config') {
    await listConfigs(shell, wanted);
    return;
  }
  if (type === 'event') {
    await listEvents(shell, { ...flags });
    return;
  }
  const namespace = listNamespace(shell.options);
  const filter: ListFilter = type === 'node' || namespace === undefined ? {} : { namespace };
  const client = await shell.connect();
  await printViews(shell, { client, filter }, flags, view => Promise.resolve(listingOf(shell, narrow(shell, view, type, wanted), type, wanted.length === 1)));
}

/** Tasks; with `names` only those of these services, apps or nodes, or these themselves. */
export async function listTasks(shell: Shell, names: readonly string[], flags: PsFlags): Promise<void> {
  const namespace = listNamespace(shell.options);
  const filter: ListFilter = { ...(namespace === undefined ? {} : { namespace }), ...(flags.node === undefined ? {} : { node: parseNodeId(flags.node) }) };
  const conditions = (flags.filter ?? []).map(readFilter);
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
      && conditions.every(([key, value]) => String(taskItem(task)[key]) === value) && hasLabels(shell, view, task.task.serviceId));
    const pending = isWhole ? view.pending : [];
    return flags.size === true ? await sizedListing(shell, { tasks, pending }, meter) : listingOf(shell, { ...view, tasks, pending, services: isWhole ? view.services.filter(({ service }) => hasLabels(shell, view, service.id)) : [] }, 'task', false);
  });
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

/** With what each task that runs wrote, as its node counts it now. */
async function sizedListing(shell: Shell, { tasks, pending }: Pick<ClusterView, 'tasks' | 'pending'>, meter: UsageMeter): Promise<Listing> {
  const failures = await meter.measure(tasks);
  const sizes = new Map(meter.rows(tasks).map(({ view, usage }) => [view.task.id, usage?.sample.writableBytes]));
  return {
    items: [...tasks.map(view => ({ ...taskItem(view), writableBytes: sizes.get(view.task.id) ?? null })), ...pending.map(slot => ({ ...pendingItem(slot), writableBytes: null }))],
    table: withSizes(taskTable({ tasks, pending }, shell.clock.nowMs(), shell.options.output === 'wide'), tasks.map(view => sizes.get(view.task.id))),
    names: tasks.map(({ task }) => `task/${task.id}`), isSingle: false,
    ...(failures.length === 0 ? {} : { notice: failures.map(failure => `sizes unknown: ${printable(failure.message)}`).join('\n') }),
  };
}

interface Source {
  readonly client: ControlClient;
  readonly filter: ListFilter;
}

async function printViews(shell: Shell, { client, filter }: Source, flags: GetFlags, list: (view: ClusterView) => Promise<Listing>): Promise<void> {
  if (flags.watch !== true) {
    await printListing(shell, await list(await client.view(filter)));
    return;
  }
  let last = '';
  for await (const view of client.watch(filter, shell.signal)) {
    const listing = await list(view);
    const picture = JSON.stringify(listing.items.map(item => ({ ...item, lastSeen: null })));
    if (picture !== last) {
      last = picture;
      await shell.terminal.write(shell.terminal.isOutputTerminal && shell.options.output === 'table' ? '\x1b[H\x1b[2J' : '');
      await printListing(shell, listing);
    }
  }
}

function listingOf(shell: Shell, view: ClusterView, type: TargetType, isSingle: boolean): Listing {
  const nowMs = shell.clock.nowMs();
  const isWide = shell.options.output === 'wide';
  switch (type) {
    case 'node':
      return {
        items: view.nodes.map(node => nodeItem(node, view.tasks)), table: nodeTable(view.nodes, view.tasks, nowMs, isWide), names: view.nodes.map(({ node }) => `node/${node.id}`), isSingle,
        ...(view.massBreaker === undefined ? {} : { notice: `the mass breaker is open: ${printable(view.massBreaker.reason)}` }),
      };
    case 'service': {
      const table = serviceTable(view.services, nowMs, isWide);
      const names = view.services.map(({ service }) => `service/${service.app}/${service.name}`);
      return { items: view.services.map(service => serviceItem(service, view.tasks)), table, names, isSingle };
    }
    case 'task': {
      const items = [...view.tasks.map(taskItem), ...view.pending.map(pendingItem)];
      const crons = isSingle ? [] : view.services.filter(({ service }) => service.spec.kind === 'cron');
      return { items, table: taskTable({ ...view, crons }, nowMs, isWide), names: view.tasks.map(({ task }) => `task/${task.id}`), isSingle };
    }
    case 'app':
      return { items: view.apps.map(app => appItem(app, view)), table: appTable(view, nowMs, isWide), names: view.apps.map(app => `app/${app.name}`), isSingle };
    case 'config':
    case 'secret':
    case 'event':
      throw new Error(`${type} is no part of a view`);
  }
}

/** The view with only the named objects of the type, and those that `-l` selects. */
function narrow(shell: Shell, view: ClusterView, type: TargetType, names: readonly string[]): ClusterView {
  const named = names.map(name => requireTarget(`${type}/${name}`, view, ['service', 'task', 'node', 'app']));
  const keep = (found: Found): boolean => names.length === 0 || named.some(one => describeFound(one) === describeFound(found));
  return {
    ...view,
    apps: view.apps.filter(app => type !== 'app' || keep({ kind: 'app', app })),
    services: view.services.filter(service => type !== 'service' || (keep({ kind: 'service', service }) && hasLabels(shell, view, service.service.id))),
    tasks: view.tasks.filter(task => type !== 'task' || (keep({ kind: 'task', task }) && hasLabels(shell, view, task.task.serviceId))),
    pending: names.length === 0 ? view.pending : [],
    nodes: view.nodes.filter(node => type !== 'node' || (keep({ kind: 'node', node }) && shell.options.selector.every(([key, value]) => node.node.labels.get(key) === value))),
  };
}

/** Whether `-l` selects what the service's labels are on. */
export function hasLabels(shell: Shell, view: ClusterView, serviceId: string): boolean {
  const labels = view.services.find(({ service }) => service.id === serviceId)?.service.spec.labels ?? [];
  return shell.options.selector.every(([key, value]) => labels.some(label => label.name === key && label.value === value));
}

function readFilter(text: string): readonly [string, string] {
  const [key = '', value] = text.split('=');
  if (value === undefined) {
    throw new ClusterError('INVALID_ARGUMENT', `--filter ${text}: write field=value, such as state=running`);
  }
  return [key, value];
}
