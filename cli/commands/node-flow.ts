/** `node cordon|uncordon|taint|label|rm|confirm-lost`. */
import { parseNodeId } from '#model/ids.ts';
import type { NodeId } from '#model/ids.ts';
import type { Availability } from '#model/node.ts';
import { ClusterError } from '#model/errors.ts';
import { UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { requireTarget } from '../target.ts';
import { say } from './print-flow.ts';

export async function setAvailability(shell: Shell, names: readonly string[], availability: Availability): Promise<void> {
  const client = await shell.connect();
  for (const node of names.map(readNode)) {
    await client.setAvailability({ requestId: shell.newRequestId(), node, availability });
    await say(shell, `node/${node} ${availability}`);
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

/** @throws ClusterError INVALID_ARGUMENT */
export function readNode(name: string): NodeId {
  try {
    return parseNodeId(name.replace(/^node\//, ''));
  } catch (error) {
    throw new ClusterError('INVALID_ARGUMENT', error instanceof Error ? error.message : String(error), { cause: error });
  }
}
