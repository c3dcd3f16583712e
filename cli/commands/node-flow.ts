/** `node drain|cordon|uncordon|taint|label|rm|confirm-lost`. */
import { parseNodeId } from '#model/ids.ts';
import type { NodeId } from '#model/ids.ts';
import type { Availability } from '#model/node.ts';
import { ClusterError } from '#model/errors.ts';
import { isFinished } from '#model/task.ts';
import { UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { printable } from '#model/printable.ts';
import type { ControlClient } from '#model/ports.ts';
import { requireTarget } from '../target.ts';
import { drainLimits } from '../drain-limits.ts';
import { say } from './print-flow.ts';
import { ProgressLines } from './progress-flow.ts';
import { watchUntil } from './watch-flow.ts';

export async function setAvailability(shell: Shell, names: readonly string[], availability: Availability): Promise<void> {
  const client = await shell.connect();
  for (const node of names.map(readNode)) {
    await client.setAvailability({ requestId: shell.newRequestId(), node, availability });
    await say(shell, `node/${node} ${availability}`);
  }
}

/** Make before break: the controller moves the tasks; `--detach` does not wait for the last to go. */
export async function drainNodes(shell: Shell, names: readonly string[], flags: { readonly detach?: boolean }): Promise<void> {
  await tellLimits(shell, names);
  await setAvailability(shell, names, 'draining');
  for (const node of flags.detach === true ? [] : names.map(readNode)) {
    const lines = new ProgressLines(shell);
    await watchUntil(shell, { node }, async view => {
      const left = view.tasks.filter(({ task, status }) => task.node === node && !isFinished(status?.phase ?? 'pending') && task.kind !== 'global');
      await lines.draw([`node/${node}: ${String(left.length)} tasks left`]);
      return left.length === 0 ? true : undefined;
    });
    await say(shell, `node/${node} drained`);
  }
}

/** What the drain cannot do, before it begins. Where nobody can say, that is said, and the drain begins all the same. */
async function tellLimits(shell: Shell, names: readonly string[]): Promise<void> {
  const nodes = names.map(readNode);
  const client = await shell.connect();
  try {
    await tellForecast(shell, client, nodes);
  } catch (error) {
    if (!(error instanceof ClusterError) || error.code === 'NOT_FOUND' || error.code === 'PERMISSION_DENIED') {
      throw error;
    }
    await shell.terminal.writeError(`what the drain cannot do is not known: ${printable(error.message)}\n`);
  }
}

/** Tasks that fit nowhere else, and services that are interrupted. */
async function tellForecast(shell: Shell, client: ControlClient, nodes: readonly NodeId[]): Promise<void> {
  const plan = await client.plan({ apps: [], withoutNodes: nodes, addedNodes: [], isSaved: false });
  const view = await client.view({});
  const lines = drainLimits(view, { nodes, unplaced: plan.unplaced, actions: plan.actions });
  if (lines.length > 0 && !shell.options.isQuiet) {
    await shell.terminal.writeError(lines.map(line => `${line}\n`).join(''));
  }
}

/** `KEY=VALUE` sets, `KEY-` removes. */
export async function labelNode(shell: Shell, name: string, changes: readonly string[]): Promise<void> {
  const set = new Map<string, string>();
  const remove: string[] = [];
  for (const change of changes) {
    const equals = change.indexOf('=');
    if (equals > 0) {
      set.set(change.slice(0, equals), change.slice(equals + 1));
    } else if (change.endsWith('-') && change.length > 1) {
      remove.push(change.slice(0, -1));
    } else {
      throw new UsageError(`${change}: write KEY=VALUE to set, KEY- to remove`);
    }
  }
  const client = await shell.connect();
  await client.setLabels({ requestId: shell.newRequestId(), node: readNode(name), set, remove });
  await say(shell, `node/${name} labelled`);
}

/** `TAINT` adds, `TAINT-` removes. */
export async function taintNode(shell: Shell, name: string, changes: readonly string[]): Promise<void> {
  const client = await shell.connect();
  const { node } = requireTarget(`node/${name}`, await client.view({}), ['node']).node;
  const taints = new Set(node.taints);
  for (const change of changes) {
    if (change.endsWith('-')) {
      taints.delete(change.slice(0, -1));
    } else {
      taints.add(change);
    }
  }
  await client.setTaints({ requestId: shell.newRequestId(), node: node.id, taints: [...taints].toSorted() });
  await say(shell, `node/${name} tainted: ${taints.size === 0 ? 'nothing' : [...taints].join(', ')}`);
}

export async function removeNodes(shell: Shell, names: readonly string[]): Promise<void> {
  const client = await shell.connect();
  for (const node of names.map(readNode)) {
    await client.removeNode({ requestId: shell.newRequestId(), node });
    await say(shell, `node/${node} removed`);
  }
}

/** Tells the mass breaker that the loss is true. */
export async function confirmLost(shell: Shell, names: readonly string[]): Promise<void> {
  const client = await shell.connect();
  for (const node of names.map(readNode)) {
    await client.confirmLost({ requestId: shell.newRequestId(), node });
    await say(shell, `node/${node} confirmed lost`);
  }
}

function readNode(name: string): NodeId {
  try {
    return parseNodeId(name.replace(/^node\//, ''));
  } catch (error) {
    throw new ClusterError('INVALID_ARGUMENT', error instanceof Error ? error.message : String(error), { cause: error });
  }
}
