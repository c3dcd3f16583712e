/** `inspect`: each object as one document of a JSON array: its item, the record wished for, the status reported, and of tasks what the node sees. */
import { ClusterError } from '#model/errors.ts';
import type { ClusterView, TaskView } from '#model/ports.ts';
import { appItem, nodeItem, serviceItem, taskItem } from '../format/items.ts';
import type { Item } from '../format/items.ts';
import { toPlain } from '../format/plain.ts';
import { listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import { isUnviewed, parseTarget, parseType, requireTarget, typeOf } from '../target.ts';
import type { Found } from '../target.ts';
import { readDocuments } from './documents-flow.ts';
import { printPlain } from './print-flow.ts';
import { seenOnNode } from './seen-on-node-flow.ts';
import type { Means } from './seen-on-node-flow.ts';

export interface InspectFlags {
  readonly type?: string;
}

/** Asked at once. */
const TASKS_AT_ONCE = 16;

/** `TYPE/NAME...`, `TYPE NAME...` or `--type TYPE NAME...`. Nothing is printed unless every target is found. */
export async function inspectTargets(shell: Shell, words: readonly string[], flags: InspectFlags): Promise<void> {
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const view = await client.view(namespace === undefined ? {} : { namespace });
  const means = { shell, client };
  const documents: (() => Promise<readonly Item[]>)[] = [];
  for (const name of typedNames(words, flags.type)) {
    const target = parseTarget(name);
    if (isUnviewed(target.type)) {
      const { type } = target;
      const read = await readDocuments(shell, type, target.name);
      documents.push(() => Promise.resolve(read.map(({ item }) => ({ type, ...item }))));
    } else {
      const found = requireTarget(name, view, ['app', 'service', 'task', 'node']);
      documents.push(async () => [await documentOf(found, view, means)]);
    }
  }
  const items: Item[] = [];
  for (const make of documents) {
    items.push(...await make());
  }
  await printPlain(shell, toPlain(items));
}

/** Each as TYPE/NAME where the type is given once for all. @throws ClusterError INVALID_ARGUMENT for an unknown type */
function typedNames(words: readonly string[], given: string | undefined): readonly string[] {
  const [first = '', ...names] = words;
  const isTyped = given === undefined && names.length > 0 && typeOf(first) !== undefined;
  const type = isTyped ? typeOf(first) : given === undefined ? undefined : parseType(given);
  return type === undefined ? words : (isTyped ? names : words).map(name => (parseTarget(name).type === type ? name : `${type}/${name}`));
}

async function documentOf(found: Found, view: ClusterView, means: Means): Promise<Item> {
  switch (found.kind) {
    case 'app':
      return { type: 'app', ...appItem(found.app, view), record: found.app, tasks: await taskDocuments(view.tasks.filter(({ task }) => task.namespace === found.app.namespace && task.app === found.app.name), means) };
    case 'service': {
      const { service, status } = found.service;
      return { type: 'service', ...serviceItem(found.service, view.tasks), record: service, status: status ?? null, tasks: await taskDocuments(view.tasks.filter(({ task }) => task.serviceId === service.id), means) };
    }
    case 'node':
      return { type: 'node', ...nodeItem(found.node, (await means.client.view({ node: found.node.node.id })).tasks), record: found.node.node, ledger: found.node.ledger };
    case 'task':
      return await taskDocument(found.task, means);
  }
}

async function taskDocuments(tasks: readonly TaskView[], means: Means): Promise<readonly Item[]> {
  const documents: Item[] = [];
  for (let start = 0; start < tasks.length; start += TASKS_AT_ONCE) {
    documents.push(...await Promise.all(tasks.slice(start, start + TASKS_AT_ONCE).map(async task => await taskDocument(task, means))));
  }
  return documents;
}

/** A node that does not answer leaves the rest standing. */
async function taskDocument(view: TaskView, { shell, client }: Means): Promise<Item> {
  const known = { type: 'task', ...taskItem(view), record: view.task, status: view.status ?? null };
  try {
    return { ...known, onNode: await seenOnNode(view.task, { shell, client }), onNodeError: null };
  } catch (error) {
    shell.signal.throwIfAborted();
    if (!(error instanceof ClusterError)) throw error;
    return { ...known, onNode: null, onNodeError: error.message };
  }
}
