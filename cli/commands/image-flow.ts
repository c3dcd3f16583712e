/** `pull`, `images`, `image inspect`, `rmi`, `tags`, `tag`: images of the nodes, and their names in registries. */
import { ClusterError } from '#model/errors.ts';
import { parseNodeId } from '#model/ids.ts';
import type { NodeId } from '#model/ids.ts';
import type { NodeImagesSpec } from '#model/node-images.ts';
import type { ControlClient } from '#model/ports.ts';
import type { TunnelFrame } from '#model/tunnel.ts';
import { imageItem, imageTable, pullLines, shortDigest } from '../format/images.ts';
import type { PullOnNode } from '../format/images.ts';
import { imageFields, imageFormatRows } from '../format/template-fields.ts';
import { readFormat } from '../format/template.ts';
import { imageRows, isMeant, requireImage } from '../node-images.ts';
import type { ImageOnNode, ImageRow } from '../node-images.ts';
import { DEFAULT_NAMESPACE } from '../options.ts';
import type { Shell } from '../ports.ts';
import { printListing, printPlain, say } from './print-flow.ts';
import { ProgressLines } from './progress-flow.ts';
import { tunnelError } from './tunnel-flow.ts';

export interface ImageFlags {
  readonly node?: readonly string[];
}

export interface ListImagesFlags extends ImageFlags {
  readonly format?: string;
}

/** Nodes asked at once. */
const NODES_AT_ONCE = 32;
const DEFAULT_ROWS = 24;

/** One digest on all nodes asked. @throws ClusterError of the first node that failed, when all had their turn */
export async function pullImage(shell: Shell, image: string, flags: ImageFlags): Promise<void> {
  const client = await shell.connect();
  const namespace = shell.options.namespace ?? DEFAULT_NAMESPACE;
  const found = await client.resolveImage({ namespace, image });
  const nodes = await nodesAsked(shell, client, flags);
  const board = new PullBoard(shell, nodes);
  const pulled: ImageOnNode[] = [];
  const failures = await onNodes(nodes, async node => {
    await askNode({ shell, client, node, spec: { kind: 'pull', image: found.image, digest: found.digest, namespace } }, async frame => {
      if (frame.kind === 'pull') await board.show({ node, layers: frame.layers });
      if (frame.kind === 'image') pulled.push({ node, image: frame.image });
    });
    await board.end(node, `${found.image} is there`);
  }, async (node, error) => { await board.end(node, errorText(error)); });
  if (shell.options.output === 'json' || shell.options.output === 'yaml') {
    await printPlain(shell, { image: found.image, digest: found.digest, nodes: pulled.map(({ node }) => node).toSorted() });
  } else {
    await say(shell, `${found.image}@${found.digest}`);
  }
  throwFirst(failures);
}

export async function listImages(shell: Shell, name: string | undefined, flags: ListImagesFlags): Promise<void> {
  const format = readFormat(flags.format, imageFields(shell.clock.nowMs()));
  const { rows, notice } = await readImages(shell, flags);
  const shown = name === undefined ? rows : rows.filter(row => isMeant(name, row) || row.names.some(one => one.includes(name)));
  await printListing(shell, {
    items: shown.map(imageItem), table: imageTable(shown, shell.clock.nowMs(), shell.options.output === 'wide'),
    names: shown.map(row => `image/${row.names[0] ?? row.digest}`), isSingle: false, ...(notice === '' ? {} : { notice }), ...(format === undefined ? {} : { formatted: format.write(imageFormatRows(shown)) }),
  });
}

/** Always a document, as docker's inspect. */
export async function inspectImages(shell: Shell, names: readonly string[], flags: ImageFlags): Promise<void> {
  const { rows } = await readImages(shell, flags);
  const items = names.map(name => imageItem(requireImage(name, rows)));
  await printPlain(shell, items.length === 1 ? items[0] : { items });
}

/** From each node that has them and does not need them. @throws ClusterError when one was refused, after the others */
export async function removeImages(shell: Shell, names: readonly string[], flags: ImageFlags): Promise<void> {
  const client = await shell.connect();
  const { rows } = await readImages(shell, flags);
  const failures: unknown[] = [];
  for (const row of names.map(name => requireImage(name, rows))) {
    const nodes = row.nodes.map(({ node }) => node);
    failures.push(...await onNodes(nodes, async node => {
      await askNode({ shell, client, node, spec: { kind: 'remove', digest: row.digest } }, () => Promise.resolve());
      await say(shell, `image/${row.names[0] ?? shortDigest(row.digest)} removed from node/${node}`);
    }));
  }
  throwFirst(failures);
}

export async function listTags(shell: Shell, image: string): Promise<void> {
  const client = await shell.connect();
  const { repository, tags } = await client.listTags({ namespace: shell.options.namespace ?? DEFAULT_NAMESPACE, image });
  await printListing(shell, {
    items: tags.map(tag => ({ repository, tag })), table: { head: ['TAG'], rows: tags.map(tag => [tag]) },
    names: tags.map(tag => `tag/${repository}:${tag}`), isSingle: false,
  });
}

export async function tagImage(shell: Shell, source: string, target: string): Promise<void> {
  const client = await shell.connect();
  const { image, digest } = await client.tagImage({ requestId: shell.newRequestId(), namespace: shell.options.namespace ?? DEFAULT_NAMESPACE, source, target });
  await say(shell, `${image} is ${digest}`);
}

/** With what nodes did not say, and why. @throws ClusterError when none of the nodes asked answers */
export async function readImages(shell: Shell, flags: ImageFlags): Promise<{ readonly rows: readonly ImageRow[]; readonly notice: string }> {
  const client = await shell.connect();
  const found: ImageOnNode[] = [];
  const notices: string[] = [];
  const nodes = await nodesAsked(shell, client, flags);
  const failures = await onNodes(nodes, async node => {
    await askNode({ shell, client, node, spec: { kind: 'list' } }, frame => {
      if (frame.kind === 'image') found.push({ node, image: frame.image });
      return Promise.resolve();
    });
  }, (node, error) => { notices.push(`node/${node}: ${errorText(error)}`); return Promise.resolve(); });
  // One answer is worth showing; none at all is a failure.
  if (failures.length === nodes.length) throwFirst(failures);
  return { rows: imageRows(found), notice: notices.toSorted().join('\n') };
}

/** Those named, or all that are ready. */
async function nodesAsked(shell: Shell, client: ControlClient, flags: ImageFlags): Promise<readonly NodeId[]> {
  const { nodes } = await client.view({});
  const wanted = (flags.node ?? []).map(name => parseNodeId(name.replace(/^node\//, '')));
  const missing = wanted.find(name => !nodes.some(({ node }) => node.id === name));
  if (missing !== undefined) {
    throw new ClusterError('NOT_FOUND', `node ${missing} is not known; see clusterctl node ls`);
  }
  if (wanted.length > 0) {
    return wanted;
  }
  const ready = nodes.filter(({ node }) => node.condition === 'ready').map(({ node }) => node.id);
  if (ready.length === 0) {
    throw new ClusterError('UNAVAILABLE', 'no node is ready; see clusterctl node ls');
  }
  if (ready.length < nodes.length && !shell.options.isQuiet) {
    await shell.terminal.writeError(`not asked, since they are not ready: ${nodes.filter(({ node }) => node.condition !== 'ready').map(({ node }) => node.id).join(', ')}\n`);
  }
  return ready;
}

interface Question {
  readonly shell: Shell;
  readonly client: ControlClient;
  readonly node: NodeId;
  readonly spec: NodeImagesSpec;
}

/** @throws ClusterError as the node says, UNAVAILABLE when its answer broke off */
async function askNode({ shell, client, node, spec }: Question, onFrame: (frame: TunnelFrame) => Promise<void>): Promise<void> {
  const tunnel = client.openTunnel({ node, images: spec }, shell.signal);
  try {
    for await (const frame of tunnel.frames) {
      if (frame.kind === 'error') throw tunnelError(frame);
      if (frame.kind === 'exit') return;
      await onFrame(frame);
    }
    throw new ClusterError('UNAVAILABLE', `node ${node} broke off its answer`);
  } finally {
    tunnel.close();
  }
}

/** Works on all nodes, some at once; what failed comes back when all had their turn. */
async function onNodes(nodes: readonly NodeId[], work: (node: NodeId) => Promise<void>, onFailure: (node: NodeId, error: unknown) => Promise<void> = () => Promise.resolve()): Promise<readonly unknown[]> {
  const failures: unknown[] = [];
  const waiting = [...nodes];
  await Promise.all(Array.from({ length: Math.min(NODES_AT_ONCE, nodes.length) }, async () => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
      try {
        await work(node);
      } catch (error) {
        failures.push(error instanceof ClusterError ? new ClusterError(error.code, `node/${node}: ${error.message}`, { cause: error }) : error);
        await onFailure(node, error);
      }
    }
  }));
  return failures;
}

function throwFirst(failures: readonly unknown[]): void {
  if (failures.length > 0) throw failures[0];
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Draws all pulls of a command while a person looks on; elsewhere only how each ended. */
class PullBoard {
  readonly #shell: Shell;
  readonly #lines: ProgressLines;
  readonly #pulls: Map<NodeId, PullOnNode>;

  constructor(shell: Shell, nodes: readonly NodeId[]) {
    this.#shell = shell;
    this.#lines = new ProgressLines(shell);
    this.#pulls = new Map(nodes.map(node => [node, { node, layers: [] }]));
  }

  async show(pull: PullOnNode): Promise<void> {
    this.#pulls.set(pull.node, pull);
    if (this.#shell.terminal.isErrorTerminal) {
      await this.#lines.draw(pullLines([...this.#pulls.values()], (this.#shell.terminal.size()?.rows ?? DEFAULT_ROWS) - 1));
    }
  }

  async end(node: NodeId, outcome: string): Promise<void> {
    const pull = { node, layers: this.#pulls.get(node)?.layers ?? [], outcome };
    if (this.#shell.terminal.isErrorTerminal) {
      await this.show(pull);
    } else if (!this.#shell.options.isQuiet) {
      await this.#shell.terminal.writeError(`${pullLines([pull], 1).join('')}\n`);
    }
  }
}

