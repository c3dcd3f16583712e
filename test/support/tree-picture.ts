/** A directory tree as values, and what two of them differ in: every path's type, mode, owner, size, time, attributes, contents and other names. */
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, readFileSync, readlinkSync, readdirSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { listAttributes, openPath, readAttribute } from '../../agent/kernel/file-syscall.ts';

export interface NodePicture {
  readonly type: string;
  readonly mode: string;
  readonly owner: string;
  readonly size: string;
  readonly time: string;
  readonly attributes: string;
  /** SHA-256 of a file, text of a link, number of a device. */
  readonly content: string;
  /** All names of a file that has more than one. */
  readonly names: string;
}

/** By raw path as latin1; the root is `.`. */
export type TreePicture = ReadonlyMap<string, NodePicture>;

/** Source: fcntl.h AT_FDCWD. */
const AT_FDCWD = -100;

/** Ids are told less `idBase`. `isLeftOut` takes paths below the root out, with all in them. */
export function pictureOf(root: string, options: { readonly idBase?: number; readonly isLeftOut?: (path: string) => boolean } = {}): TreePicture {
  const pictures = new Map<string, NodePicture>();
  const inodes = new Map<string, string[]>();
  const walk = (path: string): void => {
    const at = Buffer.from(path === '.' ? root : `${root}/${path}`, 'latin1');
    const stat = lstatSync(at, { bigint: true });
    const picture = nodePicture(at, stat, BigInt(options.idBase ?? 0));
    pictures.set(path, picture);
    if (picture.type !== 'directory') {
      const names = inodes.get(String(stat.ino)) ?? [];
      inodes.set(String(stat.ino), [...names, path]);
      return;
    }
    for (const name of readdirSync(at, { encoding: 'latin1' }).sort()) {
      const child = path === '.' ? name : `${path}/${name}`;
      if (options.isLeftOut?.(child) !== true) walk(child);
    }
  };
  walk('.');
  for (const names of inodes.values()) {
    if (names.length < 2) continue;
    for (const name of names) pictures.set(name, { ...requirePicture(pictures, name), names: names.sort().join(' ') });
  }
  return pictures;
}

function nodePicture(at: Buffer, stat: BigIntStats, idBase: bigint): NodePicture {
  const type = typeOf(stat);
  return {
    type, mode: (stat.mode & 0o7777n).toString(8), owner: `${String(stat.uid - idBase)}:${String(stat.gid - idBase)}`, size: type === 'file' ? String(stat.size) : '',
    time: String(stat.mtimeNs), attributes: attributesOf(at, type), content: contentOf(at, type, stat), names: '',
  };
}

function typeOf(stat: BigIntStats): string {
  if (stat.isDirectory()) return 'directory';
  if (stat.isFile()) return 'file';
  if (stat.isSymbolicLink()) return 'symlink';
  return stat.isFIFO() ? 'fifo' : 'device';
}

function contentOf(at: Buffer, type: string, stat: BigIntStats): string {
  if (type === 'file') return createHash('sha256').update(readFileSync(at)).digest('hex');
  if (type === 'symlink') return readlinkSync(at, { encoding: 'latin1' });
  return type === 'device' ? String(stat.rdev) : '';
}

function attributesOf(at: Buffer, kind: string): string {
  if (kind === 'symlink') return '';
  const descriptor = openPath(AT_FDCWD, at.toString('latin1'));
  try {
    const kept = listAttributes(descriptor).filter(name => name.startsWith('user.') || name === 'security.capability').sort();
    return kept.map(name => `${name}=${readAttribute(descriptor, name).toString('hex')}`).join(' ');
  } finally {
    closeSync(descriptor);
  }
}

/** One line for each difference: `PATH FIELD: ours, theirs`. `isTimeless` names paths whose time is left out. */
export function differences(ours: TreePicture, theirs: TreePicture, isTimeless: (path: string) => boolean = () => false): readonly string[] {
  const lines: string[] = [];
  for (const path of [...new Set([...ours.keys(), ...theirs.keys()])].sort()) {
    const one = ours.get(path);
    const other = theirs.get(path);
    if (one === undefined || other === undefined) {
      lines.push(`${JSON.stringify(path)} only in ${one === undefined ? 'theirs' : 'ours'}`);
      continue;
    }
    for (const field of Object.keys(one) as (keyof NodePicture)[]) {
      if (field === 'time' && isTimeless(path)) continue;
      if (one[field] !== other[field]) lines.push(`${JSON.stringify(path)} ${field}: ${one[field]}, ${other[field]}`);
    }
  }
  return lines;
}

function requirePicture(pictures: TreePicture, path: string): NodePicture {
  const found = pictures.get(path);
  if (found === undefined) throw new RangeError(`no picture of ${path}`);
  return found;
}
