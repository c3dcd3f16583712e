/** Images as `images`, `image inspect` and a pull in progress show them. */
import type { NodeId } from '#model/ids.ts';
import type { LayerProgress } from '#model/node-images.ts';
import type { ImageRow } from '../node-images.ts';
import { formatAge, formatTime } from './age.ts';
import type { Item } from './items.ts';
import type { Table } from './table.ts';

const MIB = 2 ** 20;
const HEX_SHOWN = 12;
const BAR_WIDTH = 24;

export function imageItem(row: ImageRow): Item {
  return {
    digest: row.digest, names: row.names, sizeBytes: row.sizeBytes, layers: row.layers, config: row.config,
    nodes: row.nodes.map(({ node, pulledAtMs, usedAtMs, tasks }) => ({ node, pulledAt: formatTime(pulledAtMs), usedAt: formatTime(usedAtMs), tasks })),
  };
}

/** One row a name, as docker has it. */
export function imageTable(rows: readonly ImageRow[], nowMs: number, isWide: boolean): Table {
  return {
    head: ['IMAGE', 'DIGEST', 'SIZE', 'LAYERS', 'TASKS', 'USED', isWide ? 'ON' : 'NODES'],
    rows: rows.flatMap(row => (row.names.length === 0 ? [''] : row.names).map(name => [
      name, isWide ? row.digest : shortDigest(row.digest), formatSize(row.sizeBytes), String(row.layers.length),
      String(row.nodes.reduce((sum, { tasks }) => sum + tasks.length, 0)),
      `${formatAge(Math.max(...row.nodes.map(({ usedAtMs }) => usedAtMs)), nowMs)} ago`,
      isWide ? row.nodes.map(({ node }) => node).join(',') : String(row.nodes.length),
    ])),
  };
}

/** The hex of a digest that people read. */
export function shortDigest(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, HEX_SHOWN);
}

/** `12.3 MiB`; `0.1 MiB` for less than that, but nothing. */
export function formatSize(bytes: number): string {
  const mib = bytes / MIB;
  return bytes === 0 ? '0 MiB' : mib >= 100 ? `${String(Math.round(mib))} MiB` : `${Math.max(0.1, mib).toFixed(1)} MiB`;
}

export interface PullOnNode {
  readonly node: NodeId;
  readonly layers: readonly LayerProgress[];
  /** Ended: what there is to say about it. */
  readonly outcome?: string;
}

/** A bar for each layer where they fit into `maxLines`, else one for each node. */
export function pullLines(pulls: readonly PullOnNode[], maxLines: number): readonly string[] {
  const all = pulls.flatMap(pull => [headLine(pull), ...(pull.outcome === undefined ? pull.layers.map(layerLine) : [])]);
  return all.length <= maxLines ? all : pulls.map(headLine).slice(0, maxLines);
}

function headLine({ node, layers, outcome }: PullOnNode): string {
  const total = layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
  const done = layers.reduce((sum, layer) => sum + layer.doneBytes, 0);
  return `node/${node}: ${outcome ?? (layers.length === 0 ? 'asking the registry' : `${bar(done, total)} ${formatSize(done)} of ${formatSize(total)}`)}`;
}

function layerLine({ digest, sizeBytes, doneBytes, isComplete }: LayerProgress): string {
  return `  ${shortDigest(digest)}  ${bar(doneBytes, sizeBytes)} ${isComplete ? 'complete' : doneBytes === sizeBytes ? 'unpacking' : `${formatSize(doneBytes)} of ${formatSize(sizeBytes)}`}`;
}

function bar(done: number, total: number): string {
  const share = total === 0 ? 1 : done / total;
  const full = Math.floor(share * BAR_WIDTH);
  return `[${'='.repeat(full)}${full < BAR_WIDTH ? '>' : ''}${' '.repeat(Math.max(0, BAR_WIDTH - full - 1))}] ${String(Math.floor(share * 100)).padStart(3)} %`;
}
