/** `top`: what tasks and nodes use now. */
import { ClusterError } from '#model/errors.ts';
import { parseNodeId } from '#model/ids.ts';
import type { ClusterView, ListFilter } from '#model/ports.ts';
import { quoted } from '#model/printable.ts';
import type { ClusterUsage } from '#model/usage.ts';
import { nodeRows, nodeUsageItem, nodeUsageTable, taskRows, taskUsageItem, taskUsageTable } from '../format/usage.ts';
import { selects } from '../label-selector.ts';
import { listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import { typeOf } from '../target.ts';
import { inOrder } from '../task-order.ts';
import { hasLabels } from './get-flow.ts';
import { printListing } from './print-flow.ts';
import type { Listing } from './print-flow.ts';

export interface TopFlags {
  readonly watch?: boolean;
  readonly node?: string;
}

type Subject = 'task' | 'node';

/** Agents sample as often. */
const REFRESH_MS = 2_000;

export async function showUsage(shell: Shell, word: string, flags: TopFlags): Promise<void> {
  const subject = parseSubject(word);
  const client = await shell.connect();
  const filter = filterOf(shell, subject, flags);
  for (;;) {
    const usage = await client.usage();
    if (usage.tasks.length === 0) {
      throw new ClusterError('FAILED_PRECONDITION', describeSilence(usage));
    }
    const listing = listingOf(subject, selected(shell, inOrder(await client.view(filter)), subject), usage);
    const isRedrawn = flags.watch === true && shell.terminal.isOutputTerminal && shell.options.output === 'table';
    await shell.terminal.write(isRedrawn ? '\x1b[H\x1b[2J' : '');
    await printListing(shell, listing);
    if (flags.watch !== true) {
      return;
    }
    await shell.clock.sleep(REFRESH_MS, shell.signal);
  }
}

function parseSubject(word: string): Subject {
  const type = word === '' ? 'task' : typeOf(word);
  if (type !== 'task' && type !== 'node') {
    throw new ClusterError('INVALID_ARGUMENT', `top ${quoted(word)}: only tasks and nodes use something; write top tasks or top nodes`);
  }
  return type;
}

/** All tasks of a node count in its sums, whatever their namespace. */
function filterOf(shell: Shell, subject: Subject, flags: TopFlags): ListFilter {
  const namespace = subject === 'node' ? undefined : listNamespace(shell.options);
  return { ...(namespace === undefined ? {} : { namespace }), ...(flags.node === undefined ? {} : { node: parseNodeId(flags.node) }) };
}

/** The view with only what `-l` and `--node` select; the sums of a node are of all its tasks. */
function selected(shell: Shell, view: ClusterView, subject: Subject): ClusterView {
  return subject === 'task'
    ? { ...view, tasks: view.tasks.filter(({ task }) => hasLabels(shell, view, task.serviceId)) }
    : { ...view, nodes: view.nodes.filter(({ node }) => selects(shell.options.selector, node.labels)) };
}

function describeSilence({ isNatsConnected }: ClusterUsage): string {
  return isNatsConnected
    ? 'no usage samples; no agent sent any within the last 10 s; see whether a task runs (clusterctl ps) and whether its agent is of this version (clusterctl node ls)'
    : 'no usage samples; NATS is not connected to the controller, and it carries them; start it, or give the controllers --nats';
}

function listingOf(subject: Subject, view: ClusterView, usage: ClusterUsage): Listing {
  if (subject === 'node') {
    const rows = nodeRows(view, usage);
    return { items: rows.map(nodeUsageItem), table: nodeUsageTable(rows), names: rows.map(row => `node/${row.view.node.id}`), isSingle: false };
  }
  const rows = taskRows(view, usage);
  return { items: rows.map(taskUsageItem), table: taskUsageTable(rows), names: rows.map(row => `task/${row.view.task.id}`), isSingle: false };
}
