/** `inspect`: each object as one document of a JSON array: its item, the record wished for, the status reported, and of tasks what the node sees. */
import { ClusterError } from '#model/errors.ts';
import type { ClusterView, ControlClient, TaskView } from '#model/ports.ts';
import type { Task } from '#model/task.ts';
import { appItem, nodeItem, serviceItem, taskItem } from '../format/items.ts';
import type { Item } from '../format/items.ts';
import { toPlain } from '../format/plain.ts';
import { listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import { parseType, requireTarget } from '../target.ts';
import type { Found } from '../target.ts';
import { printPlain } from './print-flow.ts';
import { tunnelError } from './tunnel-flow.ts';

export interface InspectFlags {
  readonly type?: string;
}

/** Asked at once. */
const TASKS_AT_ONCE = 16;

/** Nothing is printed unless every target is found. */
export async function inspectTargets(shell: Shell, names: readonly string[], flags: InspectFlags): Promise<void> {
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const view = await client.view(namespace === undefined ? {} : { namespace });
  const prefix = flags.type === undefined ? '' : `${parseType(flags.type)}/`;
  const found = names.map(name => requireTarget(`${prefix}${name}`, view, ['app', 'service', 'task', 'node']));
  const documents: Item[] = [];
  for (const one of found) {
    documents.push(await documentOf(one, view, { shell, client }));
  }
  await printPlain(shell, toPlain(documents));
}

interface Means {
  readonly shell: Shell;
  readonly client: ControlClient;
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

/** What the task's node knows of it. @throws ClusterError */
export async function seenOnNode(task: Pick<Task, 'id' | 'node'>, { shell, client }: Means): Promise<unknown> {
  const tunnel = client.openTunnel({ task: task.id, spec: { kind: 'inspect' } }, shell.signal);
  try {
    const chunks: Uint8Array[] = [];
    for await (const frame of tunnel.frames) {
      if (frame.kind === 'error') throw tunnelError(frame);
      if (frame.kind === 'eof') return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
      if (frame.kind === 'data') chunks.push(frame.bytes);
    }
    throw new ClusterError('UNAVAILABLE', `node ${task.node} broke off its answer`);
  } finally {
    tunnel.close();
  }
}
