/** `get TYPE [NAME]` and `node ls`: lists. */
import { splitServiceId } from '#model/ids.ts';
import type { ClusterView, ControlClient, ListFilter } from '#model/ports.ts';
import { printable } from '#model/printable.ts';
import { appItem, nodeItem, pendingItem, serviceItem, taskItem } from '../format/items.ts';
import { appTable, nodeTable, serviceTable, taskTable } from '../format/rows.ts';
import { nodeFields } from '../format/template-fields.ts';
import { readFormat } from '../format/template.ts';
import { selects } from '../label-selector.ts';
import { listNamespace, UsageError } from '../options.ts';
import { pendingOmitted } from '../pending-omitted.ts';
import type { Shell } from '../ports.ts';
import { describeFound, isUnviewed, requireTarget, UNVIEWED_TYPES } from '../target.ts';
import type { Found, TargetType } from '../target.ts';
import { inOrder } from '../task-order.ts';
import { parseWantedObjects } from '../wanted-objects.ts';
import type { WantedObjects } from '../wanted-objects.ts';
import { listUnviewed } from './documents-flow.ts';
import { listEvents } from './events-flow.ts';
import { printListing } from './print-flow.ts';
import type { Listing } from './print-flow.ts';

export interface GetFlags {
  readonly watch?: boolean;
}

/** Objects of one type, or of several one after the other. @throws UsageError for types that are not listed beside others, or not watched */
export async function getObjects(shell: Shell, typeWord: string, names: readonly string[], flags: GetFlags): Promise<void> {
  const wanted = parseWantedObjects(typeWord, names);
  const has = (...types: readonly TargetType[]): boolean => wanted.some(({ type }) => types.includes(type));
  if (has('event')) {
    if (wanted.length > 1) throw new UsageError('events are listed alone: clusterctl get events');
    await listEvents(shell, { ...flags });
    return;
  }
  if (flags.watch === true && has(...UNVIEWED_TYPES)) {
    throw new UsageError('configs, secrets and volumes are not watched; leave out -w');
  }
  const unviewed = wanted.flatMap(({ type, names }) => (isUnviewed(type) ? [{ type, names }] : []));
  if (unviewed.length === wanted.length) {
    await printListing(shell, joined(wanted, await Promise.all(unviewed.map(async one => await listUnviewed(shell, one.type, one.names)))));
    return;
  }
  const namespace = listNamespace(shell.options);
  const client = await shell.connect();
  await printViews(shell, { client, filter: namespace === undefined || has('node') ? {} : { namespace } }, flags, async view =>
    joined(wanted, await Promise.all(wanted.map(async one => (isUnviewed(one.type) ? await listUnviewed(shell, one.type, one.names) : viewListing(shell, view, one))))));
}

export interface ListNodesFlags extends GetFlags {
  readonly format?: string;
}

export async function listNodes(shell: Shell, flags: ListNodesFlags): Promise<void> {
  const format = readFormat(flags.format, nodeFields(shell.clock.nowMs()));
  const client = await shell.connect();
  await printViews(shell, { client, filter: {} }, flags, view => {
    const shown = narrow(shell, view, { type: 'node', names: [] });
    const formatted = format?.write(shown.nodes.map(node => ({ node, tasks: view.tasks })));
    return Promise.resolve({ ...listingOf(shell, shown, 'node', false), ...(formatted === undefined ? {} : { formatted }) });
  });
}

/** A view of all namespaces, where nodes are asked for too, is narrowed for the rest. */
function viewListing(shell: Shell, view: ClusterView, wanted: WantedObjects): Listing {
  const namespace = wanted.type === 'node' ? undefined : listNamespace(shell.options);
  return listingOf(shell, narrow(shell, namespace === undefined ? view : narrowTo(view, namespace), wanted), wanted.type, wanted.names.length === 1);
}

function narrowTo(view: ClusterView, namespace: string): ClusterView {
  return {
    ...view, namespace, apps: view.apps.filter(app => app.namespace === namespace), services: view.services.filter(({ service }) => service.namespace === namespace),
    tasks: view.tasks.filter(({ task }) => task.namespace === namespace), pending: view.pending.filter(({ service }) => splitServiceId(service).namespace === namespace),
  };
}

/** Several types: tables one below the other, and each item of JSON says its type. */
function joined(wanted: readonly WantedObjects[], listings: readonly Listing[]): Listing {
  const [only, ...others] = listings;
  if (only === undefined || others.length === 0) {
    return only ?? { items: [], table: { head: [], rows: [] }, names: [], isSingle: false };
  }
  const notices = listings.flatMap(({ notice }) => notice ?? []);
  return {
    items: listings.flatMap(({ items }, index) => items.map(item => ({ type: wanted[index]?.type, ...item }))),
    table: only.table, moreTables: others.map(({ table }) => table), names: listings.flatMap(({ names }) => names), isSingle: false,
    ...(notices.length === 0 ? {} : { notice: notices.join('\n') }), pendingOmitted: listings.reduce((sum, listing) => sum + (listing.pendingOmitted ?? 0), 0),
  };
}

interface Source {
  readonly client: ControlClient;
  readonly filter: ListFilter;
}

/** Once, or again whenever what is shown changes. */
export async function printViews(shell: Shell, { client, filter }: Source, flags: GetFlags, list: (view: ClusterView) => Promise<Listing>): Promise<void> {
  if (flags.watch !== true) {
    await printListing(shell, await list(inOrder(await client.view(filter))));
    return;
  }
  let last = '';
  for await (const view of client.watch(filter, shell.signal)) {
    const listing = await list(inOrder(view));
    const picture = JSON.stringify(listing.items.map(item => ({ ...item, lastSeen: null })));
    if (picture !== last) {
      last = picture;
      await shell.terminal.write(shell.terminal.isOutputTerminal && shell.options.output === 'table' ? '\x1b[H\x1b[2J' : '');
      await printListing(shell, listing);
    }
  }
}

/** What a view holds of one type. */
export function listingOf(shell: Shell, view: ClusterView, type: TargetType, isSingle: boolean): Listing {
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
      return { items, table: taskTable({ ...view, crons }, nowMs, { isWide, isOfAll: shell.options.isAllNamespaces }), names: view.tasks.map(({ task }) => `task/${task.id}`), isSingle, pendingOmitted: pendingOmitted(view) };
    }
    case 'app':
      return { items: view.apps.map(app => appItem(app, view)), table: appTable(view, nowMs, isWide), names: view.apps.map(app => `app/${app.name}`), isSingle };
    case 'config':
    case 'secret':
    case 'volume':
    case 'event':
      throw new Error(`${type} is no part of a view`);
  }
}

/** The view with only the named objects of the type, and those that `-l` selects. */
function narrow(shell: Shell, view: ClusterView, { type, kind, names }: WantedObjects): ClusterView {
  const named = names.map(name => requireTarget(`${type}/${name}`, view, ['service', 'task', 'node', 'app']));
  const keep = (found: Found): boolean => names.length === 0 || named.some(one => describeFound(one) === describeFound(found));
  return {
    ...view,
    apps: view.apps.filter(app => type !== 'app' || keep({ kind: 'app', app })),
    services: view.services.filter(service => type !== 'service' || (keep({ kind: 'service', service }) && (kind === undefined || service.service.spec.kind === kind) && hasLabels(shell, view, service.service.id))),
    tasks: view.tasks.filter(task => type !== 'task' || (keep({ kind: 'task', task }) && hasLabels(shell, view, task.task.serviceId))),
    pending: names.length === 0 ? view.pending : [],
    nodes: view.nodes.filter(node => type !== 'node' || (keep({ kind: 'node', node }) && selects(shell.options.selector, node.node.labels))),
  };
}

/** Whether `-l` selects what the service's labels are on. */
export function hasLabels(shell: Shell, view: ClusterView, serviceId: string): boolean {
  const labels = view.services.find(({ service }) => service.id === serviceId)?.service.spec.labels ?? [];
  return selects(shell.options.selector, new Map(labels.map(({ name, value }) => [name, value])));
}
