/** Single files of layers, by descriptor: what they are, and copies of them with all that counts. Names are raw bytes as latin1. */
import { chmodSync, fchmodSync, fstatSync, ftruncateSync, readSync, readdirSync, readlinkSync, writeSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import {
  SyscallError, changeOpenTime, changeOwner, changeTime, closeDescriptor, copyRange, createFile, findContents, findHole, listAttributes, makeDirectory, makeFifo, makeSymlink,
  openDirectory, openDirectoryForAttributes, openFile, openPath, readAttribute, removeDirectory, removeFile, setAttribute, shareContents,
} from '../kernel/file-syscall.ts';
import { OPAQUE_ATTRIBUTE, isKeptAttribute } from './layer-nodes-fs.ts';

export type NodeKind = 'directory' | 'file' | 'symlink' | 'fifo' | 'whiteout' | 'other';

export interface FoundNode {
  readonly kind: NodeKind;
  readonly stat: BigIntStats;
}

const NANOSECONDS = 1_000_000_000n;
const MODE_BITS = 0o7777;

/** What has the name itself; undefined when nothing has. */
export function findNode(parent: number, name: string): FoundNode | undefined {
  let descriptor: number;
  try {
    descriptor = openPath(parent, name);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const stat = fstatSync(descriptor, { bigint: true });
    return { kind: kindOf(stat), stat };
  } finally {
    closeDescriptor(descriptor);
  }
}

function kindOf(stat: BigIntStats): NodeKind {
  if (stat.isDirectory()) return 'directory';
  if (stat.isFile()) return 'file';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  return stat.isCharacterDevice() && stat.rdev === 0n ? 'whiteout' : 'other';
}

/** Names in the directory, sorted by bytes. */
export function listNames(directory: number): readonly string[] {
  return readdirSync(`/proc/self/fd/${String(directory)}`, { encoding: 'latin1' }).sort();
}

/** Text of the link `name`. */
export function readLink(parent: number, name: string): string {
  return readlinkSync(Buffer.from(`/proc/self/fd/${String(parent)}/${name}`, 'latin1'), { encoding: 'latin1' });
}

/** True for a directory that hides what lower layers have in it. */
export function isOpaque(directory: number): boolean {
  return listAttributes(directory).includes(OPAQUE_ATTRIBUTE);
}

/** Owner, mode, kept attributes and time of directory `from`, for directory `to`. @returns the time */
export function copyDirectoryFacts(from: number, to: number): ReturnType<typeof timeOf> {
  const stat = fstatSync(from, { bigint: true });
  changeOwner(to, '', { uid: Number(stat.uid), gid: Number(stat.gid) });
  fchmodSync(to, Number(stat.mode) & MODE_BITS);
  copyAttributes(from, to);
  const time = timeOf(stat);
  changeOpenTime(to, time);
  return time;
}

export function haveOtherTimes(one: number, other: number): boolean {
  return fstatSync(one, { bigint: true }).mtimeNs !== fstatSync(other, { bigint: true }).mtimeNs;
}

/** True when two directories differ in owner, mode or kept attributes. */
export function differ(one: number, other: number): boolean {
  const facts = (descriptor: number): string => {
    const stat = fstatSync(descriptor);
    const attributes = keptAttributes(descriptor).map(name => `${name}=${readAttribute(descriptor, name).toString('hex')}`).sort();
    return [stat.uid, stat.gid, stat.mode, ...attributes].join(' ');
  };
  return facts(one) !== facts(other);
}

/** A copy of the file, link or fifo `name` of `from` under `to.name`, which must be free. Contents are shared where the file system can. */
export function copyNode(from: number, name: string, found: FoundNode, to: { readonly parent: number; readonly name: string }): void {
  const owner = { uid: Number(found.stat.uid), gid: Number(found.stat.gid) };
  switch (found.kind) {
    case 'file':
      copyFile(from, name, found, to);
      return;
    case 'symlink':
      makeSymlink(readLink(from, name), to.parent, to.name);
      break;
    case 'fifo':
      makeFifo(to.parent, to.name, 0o600);
      chmodSync(Buffer.from(`/proc/self/fd/${String(to.parent)}/${to.name}`, 'latin1'), Number(found.stat.mode) & MODE_BITS);
      break;
    case 'directory':
    case 'whiteout':
    case 'other':
      throw new RangeError(`a ${found.kind} is not copied as a file`);
  }
  changeOwner(to.parent, to.name, owner);
  changeTime(to.parent, to.name, timeOf(found.stat));
}

function copyFile(from: number, name: string, { stat }: FoundNode, to: { readonly parent: number; readonly name: string }): void {
  const source = openFile(from, name);
  try {
    const target = createFile(to.parent, to.name, 0o600);
    try {
      copyContents(source, target, Number(stat.size));
      changeOwner(target, '', { uid: Number(stat.uid), gid: Number(stat.gid) });
      fchmodSync(target, Number(stat.mode) & MODE_BITS);
      copyAttributes(source, target);
      changeOpenTime(target, timeOf(stat));
    } finally {
      closeDescriptor(target);
    }
  } finally {
    closeDescriptor(source);
  }
}

/** Errors of calls that a file system, or a pair of them, does not have. Source: ioctl_ficlone(2), copy_file_range(2), "ERRORS" */
const NOT_HERE = ['EOPNOTSUPP', 'ENOTSUP', 'EXDEV', 'EINVAL', 'ENOTTY', 'ENOSYS'];
const PIECE_BYTES = 1024 * 1024;

/** Shares where the file system can, else copies within the kernel, else by hand; holes stay holes. */
function copyContents(source: number, target: number, sizeBytes: number): void {
  if (sizeBytes === 0 || isDone(() => { shareContents(source, target); })) return;
  let end = 0;
  for (let start = findContents(source, 0); start !== undefined; start = findContents(source, end)) {
    end = findHole(source, start) ?? sizeBytes;
    const part = { offset: start, end };
    if (!isDone(() => { copyPart(part, (offset, lengthBytes) => copyRange(source, target, { offset, lengthBytes })); })) {
      const piece = Buffer.alloc(Math.min(PIECE_BYTES, end - start));
      copyPart(part, (offset, lengthBytes) => {
        const got = readSync(source, piece, 0, Math.min(piece.length, lengthBytes), offset);
        return writeSync(target, piece, 0, got, offset);
      });
    }
  }
  ftruncateSync(target, sizeBytes);
}

function isDone(attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch (error) {
    if (isCode(error, ...NOT_HERE)) return false;
    throw error;
  }
}

function copyPart(part: { readonly offset: number; readonly end: number }, copy: (offset: number, lengthBytes: number) => number): void {
  for (let { offset } = part; offset < part.end;) {
    const copied = copy(offset, part.end - offset);
    if (copied === 0) throw new RangeError('a file of a layer got shorter while it was copied');
    offset += copied;
  }
}

function copyAttributes(from: number, to: number): void {
  for (const name of keptAttributes(from)) setAttribute(to, name, readAttribute(from, name));
}

function keptAttributes(descriptor: number): readonly string[] {
  return listAttributes(descriptor).filter(isKeptAttribute);
}

/** The time of last change to contents; before 1970 the nanoseconds count on from the second before. */
export function timeOf(stat: BigIntStats): { readonly seconds: number; readonly nanoseconds: number } {
  const nanoseconds = ((stat.mtimeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  return { seconds: Number((stat.mtimeNs - nanoseconds) / NANOSECONDS), nanoseconds: Number(nanoseconds) };
}

/** Opens directory `name` for attributes, made when it is not there. */
export function openOrMakeDirectory(parent: number, name: string): number {
  if (findNode(parent, name)?.kind !== 'directory') {
    removeNode(parent, name);
    makeDirectory(parent, name, 0o755);
  }
  return openDirectoryForAttributes(parent, name);
}

/** Removes what has the name, a directory with all in it; absent is fine. */
export function removeNode(parent: number, name: string): void {
  const found = findNode(parent, name);
  if (found === undefined) return;
  if (found.kind !== 'directory') {
    removeFile(parent, name);
    return;
  }
  const directory = openDirectory(parent, name);
  try {
    for (const child of listNames(directory)) removeNode(directory, child);
  } finally {
    closeDescriptor(directory);
  }
  removeDirectory(parent, name);
}

export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof SyscallError && codes.includes(error.code);
}
