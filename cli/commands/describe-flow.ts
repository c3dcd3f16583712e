/** `describe TARGET`: one object, all that is known of it, and its events. */
import type { ClusterView } from '#model/ports.ts';
import { formatAge } from '../format/age.ts';
import { runItem, runsOfCron, runTable } from '../format/crons.ts';
import { formatFields } from '../format/fields.ts';
import { appItem, nodeItem, serviceItem, servicesOfApp, taskItem } from '../format/items.ts';
import type { Item } from '../format/items.ts';
import { eventTable, serviceTable, taskTable } from '../format/rows.ts';
import { eventObject } from '../event-scope.ts';
import { formatTable } from '../format/table.ts';
import { listNamespace } from '../options.ts';
import { omittedText, pendingOmitted } from '../pending-omitted.ts';
import type { Shell } from '../ports.ts';
import { describeFound, isUnviewed, parseTarget, requireTarget, typeOf } from '../target.ts';
import type { Found } from '../target.ts';
import { inOrder } from '../task-order.ts';
import { readDocuments } from './documents-flow.ts';
import { printPlain } from './print-flow.ts';

/** `TYPE/NAME...`, or `TYPE NAME...` as kubectl has it. */
export async function describeTargets(shell: Shell, words: readonly string[]): Promise<void> {
  const [first = '', ...names] = words;
  const targets = names.length > 0 && typeOf(first) !== undefined ? names.map(name => `${first}/${name}`) : words;
  for (const [index, target] of targets.entries()) {
    await shell.terminal.write(index > 0 && (shell.options.output === 'table' || shell.options.output === 'wide') ? '\n' : '');
    await describeTarget(shell, target);
  }
}

async function describeTarget(shell: Shell, name: string): Promise<void> {
  const target = parseTarget(name);
  if (isUnviewed(target.type)) {
    for (const { title, item } of await readDocuments(shell, target.type, target.name)) {
      const isPlain = shell.options.output === 'json' || shell.options.output === 'yaml';
      await (isPlain ? printPlain(shell, item) : shell.terminal.write(`${shell.terminal.style('bold', `${target.type}/${title}`)}\n${formatFields(item, '')}`));
    }
    return;
  }
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const narrow = await client.view(namespace === undefined ? {} : { namespace });
  const found = requireTarget(name, narrow, ['app', 'service', 'task', 'node']);
  const view = inOrder(found.kind === 'node' ? await client.view({ node: found.node.node.id }) : narrow);
  const events = await client.events({ object: eventObject(found) });
  const item = itemOf(found, view);
  if (shell.options.output === 'json' || shell.options.output === 'yaml') {
    await printPlain(shell, item);
    return;
  }
  const nowMs = shell.clock.nowMs();
  const sections = [
    formatFields(readableItem(found, item, nowMs), ''),
    found.kind === 'app' ? servicesSection(servicesOfApp(found.app, view), nowMs, shell.options.output === 'wide') : '',
    tasksSection(shell, found, view),
    runsSection(found, view, nowMs),
    events.length === 0 ? '' : `\nEvents\n${formatTable(eventTable(events, nowMs))}`,
  ];
  await shell.terminal.write(`${shell.terminal.style('bold', describeFound(found))}\n${sections.join('')}`);
}

function tasksSection(shell: Shell, found: Found, view: ClusterView): string {
  const [tasks, pending] = [tasksOf(found, view), pendingOf(found, view)];
  if (tasks.length + pending.length === 0) {
    return '';
  }
  const omitted = omittedText(pendingOmitted({ services: view.services, pending }));
  const table = formatTable(taskTable({ tasks, pending }, shell.clock.nowMs(), { isWide: shell.options.output === 'wide' }));
  return `\nTasks\n${table}${omitted === undefined ? '' : `${omitted}\n`}`;
}

function itemOf(found: Found, view: ClusterView): Item {
  switch (found.kind) {
    case 'app':
      return appItem(found.app, view);
    case 'service':
      return { ...serviceItem(found.service, view.tasks), ...(found.service.service.spec.kind === 'cron' ? { runs: runsOfCron(found.service, view.services).map(runItem) } : {}) };
    case 'task':
      return taskItem(found.task);
    case 'node':
      return nodeItem(found.node, view.tasks);
  }
}

function tasksOf(found: Found, view: ClusterView): ClusterView['tasks'] {
  switch (found.kind) {
    case 'app':
      return view.tasks.filter(({ task }) => task.namespace === found.app.namespace && task.app === found.app.name);
    case 'service':
      return view.tasks.filter(({ task }) => task.serviceId === found.service.service.id);
    case 'node':
      return view.tasks.filter(({ task }) => task.node === found.node.node.id);
    case 'task':
      return [];
  }
}

function pendingOf(found: Found, view: ClusterView): ClusterView['pending'] {
  const ids: readonly string[] = found.kind === 'service' ? [found.service.service.id] : found.kind === 'app' ? servicesOfApp(found.app, view).map(({ service }) => service.id) : [];
  return view.pending.filter(({ service }) => ids.includes(service));
}

function runsSection(found: Found, view: ClusterView, nowMs: number): string {
  const runs = found.kind === 'service' ? runsOfCron(found.service, view.services) : [];
  return runs.length === 0 ? '' : `\nRuns\n${formatTable(runTable(runs, view.tasks, nowMs))}`;
}

function servicesSection(services: ClusterView['services'], nowMs: number, isWide: boolean): string {
  return services.length === 0 ? '' : `\nServices\n${formatTable(serviceTable(services, nowMs, isWide))}`;
}

function readableItem(found: Found, item: Item, nowMs: number): Item {
  if (found.kind === 'app') {
    const { services: _, ...rest } = item;
    return { ...rest, updated: `${formatAge(found.app.updatedAtMs, nowMs)} ago` };
  }
  return found.kind === 'node' && item['drained'] === true ? { ...item, state: 'drained', drained: null } : item;
}
