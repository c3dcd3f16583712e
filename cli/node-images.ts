/** Images of several nodes as one list, and which of them a person means. */
import { quoted } from '#model/printable.ts';
import { ClusterError } from '#model/errors.ts';
import type { Digest } from '#model/digest.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { ImageConfig, ImageLayer, NodeImage } from '#model/node-images.ts';

export interface ImageOnNode {
  readonly node: NodeId;
  readonly image: NodeImage;
}

/** One image, wherever it is. */
export interface ImageRow {
  readonly digest: Digest;
  readonly names: readonly string[];
  readonly sizeBytes: number;
  readonly layers: readonly ImageLayer[];
  readonly config: ImageConfig;
  /** By node. */
  readonly nodes: readonly { readonly node: NodeId; readonly pulledAtMs: number; readonly usedAtMs: number; readonly tasks: readonly TaskId[] }[];
}

/** By name, images without one last. */
export function imageRows(found: readonly ImageOnNode[]): readonly ImageRow[] {
  const byDigest = Map.groupBy(found, ({ image }) => image.digest);
  const rows = [...byDigest.values()].flatMap(copies => {
    const [first] = copies;
    return first === undefined ? [] : [{
      ...first.image,
      names: [...new Set(copies.flatMap(({ image }) => image.names))].toSorted(),
      nodes: copies.map(({ node, image }) => ({ node, pulledAtMs: image.pulledAtMs, usedAtMs: image.usedAtMs, tasks: image.tasks })).toSorted((a, b) => (a.node < b.node ? -1 : 1)),
    }];
  });
  const key = (row: ImageRow): string => `${row.names[0] ?? '\u{10ffff}'} ${row.digest}`;
  return rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Shortest beginning of a digest's hex that names an image, as docker's short ids. */
const MIN_HEX = 4;

/** True when `text` means the image: its digest or a beginning of it, a whole name, or a name without registry, or without `:latest`. */
export function isMeant(text: string, image: { readonly digest: Digest; readonly names: readonly string[] }): boolean {
  const [name = '', digest] = text.split('@');
  if (digest !== undefined) {
    return image.digest === digest && image.names.some(one => isName(withoutTag(name), withoutTag(one)));
  }
  const hex = /^(?:sha(?:256|512):)?([0-9a-f]+)$/.exec(text)?.[1];
  const isHexMatch = hex !== undefined && hex.length >= MIN_HEX && image.digest.slice(image.digest.indexOf(':') + 1).startsWith(hex);
  const tagged = withoutTag(name) === name ? `${name}:latest` : name;
  return isHexMatch || image.names.some(one => isName(tagged, one));
}

/** The one image that is meant. @throws ClusterError NOT_FOUND, INVALID_ARGUMENT for a word that means several */
export function requireImage(text: string, rows: readonly ImageRow[]): ImageRow {
  const meant = rows.filter(row => isMeant(text, row));
  const [first, second] = meant;
  if (first === undefined) {
    throw new ClusterError('NOT_FOUND', `no image ${quoted(text)} on the nodes asked; see clusterctl images`);
  }
  if (second !== undefined) {
    throw new ClusterError('INVALID_ARGUMENT', `${quoted(text)} means ${String(meant.length)} images: ${meant.slice(0, 4).map(row => row.digest.slice(0, 19)).join(', ')}; name one by its digest`);
  }
  return first;
}

function isName(wanted: string, name: string): boolean {
  return name === wanted || name.endsWith(`/${wanted}`);
}

function withoutTag(name: string): string {
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? name.slice(0, colon) : name;
}
