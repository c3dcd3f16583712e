/** What `cp` means, decided before a byte moves; docker's rules. */
import { ClusterError } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';

export type CopyEnd = { readonly kind: 'local'; readonly path: string } | { readonly kind: 'task'; readonly target: string; readonly path: string };

/** What stands at a place now. */
export type PathKind = 'file' | 'directory' | 'absent';

export interface CopyPlan {
  /** Directory to unpack into. */
  readonly directory: string;
  /** Name of the top entry there; absent: the contents of the source directory go into `directory`. */
  readonly name?: string;
}

/** `TARGET:PATH`, or a local path; a path that begins with `.` or `/` is always local. */
export function parseCopyEnd(text: string): CopyEnd {
  const colon = text.indexOf(':');
  return colon < 1 || /^[./]/.test(text) ? { kind: 'local', path: text } : { kind: 'task', target: text.slice(0, colon), path: text.slice(colon + 1) || '/' };
}

/** @throws ClusterError FAILED_PRECONDITION for what docker refuses too */
export function planCopy(source: { readonly path: string; readonly kind: PathKind }, destination: { readonly path: string; readonly kind: PathKind }): CopyPlan {
  const refuse = (why: string): never => { throw new ClusterError('FAILED_PRECONDITION', why); };
  if (source.kind === 'absent') {
    refuse(`${quoted(source.path)} does not exist`);
  }
  if (destination.kind === 'directory') {
    return source.kind === 'directory' && isContents(source.path) ? { directory: destination.path } : { directory: destination.path, name: baseName(source.path) };
  }
  if (source.kind === 'directory' && destination.kind === 'file') {
    refuse(`cannot copy a directory over the file ${quoted(destination.path)}`);
  }
  if (source.kind === 'file' && destination.path.endsWith('/')) {
    refuse(`the directory ${quoted(destination.path)} does not exist`);
  }
  return { directory: directoryOf(destination.path), name: baseName(destination.path) };
}

/** The kind of the first entry of a tar stream, undefined while too few bytes are there. Source: POSIX.1-2024, pax, ustar header block. */
export function firstEntryKind(bytes: Uint8Array): PathKind | undefined {
  for (let offset = 0; offset + BLOCK_BYTES <= bytes.byteLength;) {
    const header = bytes.subarray(offset, offset + BLOCK_BYTES);
    const type = String.fromCharCode(header[TYPE_OFFSET] ?? 0);
    if (!'xgLK'.includes(type)) {
      return type === '5' ? 'directory' : 'file';
    }
    const sizeText = new TextDecoder().decode(header.subarray(SIZE_OFFSET, SIZE_OFFSET + SIZE_BYTES));
    const size = Number.parseInt(sizeText, 8);
    offset += BLOCK_BYTES * (1 + Math.ceil((Number.isNaN(size) ? 0 : size) / BLOCK_BYTES));
  }
  return undefined;
}

const BLOCK_BYTES = 512;
const SIZE_OFFSET = 124;
const SIZE_BYTES = 12;
const TYPE_OFFSET = 156;

/** The last component; `/` for the root. */
export function baseName(path: string): string {
  return path.replace(/\/\.?$/, '').split('/').at(-1) ?? '';
}

function directoryOf(path: string): string {
  const clean = path.replace(/\/+$/, '');
  const slash = clean.lastIndexOf('/');
  return slash < 0 ? '.' : clean.slice(0, slash) || '/';
}

function isContents(path: string): boolean {
  return path === '.' || path.endsWith('/.');
}
