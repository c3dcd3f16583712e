/**
 * What one tar entry of a layer does to the layer's directory.
 *
 * Source: OCI image-spec, layer.md, "Whiteouts", "Opaque Whiteout"; path rules: reliability of extraction (README.md)
 */
import { ClusterError } from '#model/errors.ts';
import { shown } from './tar-reader.ts';
import type { TarEntry } from './tar-reader.ts';

/** Where in the layer: names from the layer's root down; empty is the root itself. Raw bytes as latin1. */
export type LayerPath = readonly string[];

export type FileOperation =
  | { readonly kind: 'file' | 'fifo'; readonly path: LayerPath; readonly entry: TarEntry }
  | { readonly kind: 'directory'; readonly path: LayerPath; readonly entry: TarEntry }
  | { readonly kind: 'symlink'; readonly path: LayerPath; readonly entry: TarEntry; readonly target: string }
  | { readonly kind: 'hardlink'; readonly path: LayerPath; readonly target: LayerPath }
  /** Hides `path` of lower layers. */
  | { readonly kind: 'whiteout'; readonly path: LayerPath }
  /** Hides everything in directory `path` of lower layers. */
  | { readonly kind: 'opaque'; readonly path: LayerPath }
  | { readonly kind: 'skip'; readonly what: 'device' | 'socket' | 'metadata' };

/** The runtime mounts over these, and would write through a link (CVE-2026-47766). */
const RUNTIME_DIRECTORIES: ReadonlySet<string> = new Set(['dev', 'proc', 'sys']);
/** Source: limits.h PATH_MAX, NAME_MAX. */
const MAX_PATH_BYTES = 4096;
const MAX_NAME_BYTES = 255;
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
/** Names that aufs kept for itself, such as `.wh..wh.plnk`. */
const METADATA = '.wh..wh.';

/**
 * The operation of `entry`. Device nodes are skipped under dev/ and refused elsewhere, sockets are skipped.
 *
 * @param maxId  highest uid and gid that fits a task's user namespace
 * @throws ClusterError FAILED_PRECONDITION for a path that leaves the layer, a bad whiteout, a device, an id too high
 */
export function planEntry(entry: TarEntry, maxId: number): FileOperation {
  const path = splitPath(entry.name, 'path');
  const base = path.at(-1);
  if (base?.startsWith(WHITEOUT) === true) {
    return planWhiteout(path.slice(0, -1), base);
  }
  if (!isId(entry.uid, maxId) || !isId(entry.gid, maxId)) {
    throw refusal(`entry ${shown(entry.name)} belongs to ${String(entry.uid)}:${String(entry.gid)}, above the highest id ${String(maxId)}`);
  }
  if (path.length === 0 && entry.type !== 'directory') {
    throw refusal(`entry ${shown(entry.name)} is the layer's root and no directory`);
  }
  if (path.length === 1 && RUNTIME_DIRECTORIES.has(path[0] ?? '') && entry.type !== 'directory') {
    throw refusal(`container refused: '/${path[0] ?? ''}' in the image is a ${entry.type}`);
  }
  return planPlain(entry, path);
}

function planPlain(entry: TarEntry, path: LayerPath): FileOperation {
  switch (entry.type) {
    case 'file':
    case 'fifo':
      return { kind: entry.type, path, entry };
    case 'directory':
      return { kind: 'directory', path, entry };
    case 'symlink':
      return { kind: 'symlink', path, entry, target: checkedLink(entry) };
    case 'hardlink':
      return { kind: 'hardlink', path, target: splitPath(entry.linkName, 'hardlink target') };
    case 'socket':
      return { kind: 'skip', what: 'socket' };
    case 'device':
      if (path[0] === 'dev' && path.length > 1) {
        return { kind: 'skip', what: 'device' };
      }
      throw refusal(`device ${shown(entry.name)} outside dev/ is refused`);
  }
}

function planWhiteout(parent: LayerPath, base: string): FileOperation {
  if (base === OPAQUE) {
    return { kind: 'opaque', path: parent };
  }
  if (base.startsWith(METADATA)) {
    return { kind: 'skip', what: 'metadata' };
  }
  const hidden = base.slice(WHITEOUT.length);
  if (hidden === '' || hidden === '.') {
    throw refusal(`invalid whiteout name ${shown(base)}`);
  }
  if (hidden === '..') {
    throw refusal(`whiteout ${shown(base)} escapes the layer`);
  }
  return { kind: 'whiteout', path: [...parent, hidden] };
}

/** Names of a path in the layer: a leading slash means the layer's root. @throws ClusterError FAILED_PRECONDITION */
function splitPath(name: string, what: string): LayerPath {
  if (name.length > MAX_PATH_BYTES) {
    throw refusal(`${what} longer than ${String(MAX_PATH_BYTES)} bytes: ${shown(name)}`);
  }
  if (name.includes('\0')) {
    throw refusal(`${what} contains NUL: ${shown(name)}`);
  }
  if (name === '') {
    throw refusal(`${what} is empty`);
  }
  const path = name.split('/').filter(part => part !== '' && part !== '.');
  if (path.includes('..')) {
    throw refusal(`entry ${shown(name)} escapes the layer`);
  }
  if (path.some(part => part.length > MAX_NAME_BYTES)) {
    throw refusal(`${what} has a name longer than ${String(MAX_NAME_BYTES)} bytes: ${shown(name)}`);
  }
  if (path.slice(0, -1).some(part => part.startsWith(WHITEOUT))) {
    throw refusal(`${what} goes through a whiteout: ${shown(name)}`);
  }
  return path;
}

/** A symlink's text is stored as it is: it is followed in the container's root alone. */
function checkedLink(entry: TarEntry): string {
  if (entry.linkName === '' || entry.linkName.includes('\0') || entry.linkName.length >= MAX_PATH_BYTES) {
    throw refusal(`link ${shown(entry.name)} has an empty, long or NUL target`);
  }
  return entry.linkName;
}

function isId(id: number, maxId: number): boolean {
  return id >= 0 && id <= maxId;
}

function refusal(message: string): ClusterError {
  return new ClusterError('FAILED_PRECONDITION', message);
}
