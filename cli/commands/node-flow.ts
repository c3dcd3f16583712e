/** `node cordon|uncordon|taint|label|rm|confirm-lost`, and `label`. */
import { parseNodeId } from '#model/ids.ts';
import type { NodeId } from '#model/ids.ts';
import type { Availability } from '#model/node.ts';
import { ClusterError, isClusterError } from '#model/errors.ts';
import type { ControlClient, VolumeView } from '#model/ports.ts';
import { volumeName } from '#model/volume.ts';
import { quoted } from '#model/printable.ts';
import { parseLabelChanges, splitLabelWords } from '../label-changes.ts';
import type { LabelChanges } from '../label-changes.ts';
import { UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { parseTarget, requireTarget } from '../target.ts';
import { say } from './print-flow.ts';

export async function setAvailability(shell: Shell, names: readonly string[], availability: Availability): Promise<void> {
  const client = await shell.connect();
  for (const node of names.map(readNode)) {
    await client.setAvailability({ requestId: shell.newRequestId(), node, availability });
    await say(shell, `node/${node} ${availability}`);
  }
}

/** `node label`: sets and removes, whatever was there. */
export async function labelNode(shell: Shell, name: string, words: readonly string[]): Promise<void> {
  const changes = parseLabelChanges(words);
  await setLabels(shell, readNode(name), changes);
}

/** `label`, in kubectl's words. @throws ClusterError ALREADY_EXISTS for a key that has another value, unless it is to be overwritten; then nothing is changed */
export async function labelObjects(shell: Shell, words: readonly string[], { overwrite }: { readonly overwrite?: boolean }): Promise<void> {
  const { names, changes: texts } = splitLabelWords(words);
  const changes = parseLabelChanges(texts);
  const other = names.find(name => parseTarget(name).type !== 'node');
  if (other !== undefined) {
    throw new UsageError(`only nodes are labelled here, as in label node/n1 disk=ssd; the labels of ${quoted(other)} are in its manifest`);
  }
  const client = await shell.connect();
  const view = await client.view({});
  const nodes = names.map(name => requireTarget(name, view, ['node']).node.node);
  for (const node of overwrite === true ? [] : nodes) {
    const kept = [...changes.set].find(([key, value]) => (node.labels.get(key) ?? value) !== value);
    if (kept !== undefined) {
      throw new ClusterError('ALREADY_EXISTS', `node/${node.id} has ${kept[0]}=${node.labels.get(kept[0]) ?? ''}; give --overwrite to change it`);
    }
  }
  for (const node of nodes) {
    await setLabels(shell, node.id, changes);
  }
}

async function setLabels(shell: Shell, node: NodeId, { set, remove }: LabelChanges): Promise<void> {
  const client = await shell.connect();
  await client.setLabels({ requestId: shell.newRequestId(), node, set, remove });
  await say(shell, `node/${node} labelled`);
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
    const lost = await dataOn(client, node);
    await client.removeNode({ requestId: shell.newRequestId(), node });
    await say(shell, `node/${node} removed${lost.length === 0 ? '' : `, and with it the data of ${lost.length === 1 ? 'volume' : 'volumes'} ${lost.join(', ')}`}`);
  }
}

/** Volumes whose data is nowhere else. An older controller knows of none. */
async function dataOn(client: ControlClient, node: NodeId): Promise<readonly string[]> {
  const views = await client.listVolumes({}).catch((error: unknown): readonly VolumeView[] => {
    if (isClusterError(error, 'FAILED_PRECONDITION')) return [];
    throw error;
  });
  return views.filter(({ volume }) => volume.node === node && !volume.isPerNode && volume.state === 'present').map(({ volume }) => volumeName(volume));
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
