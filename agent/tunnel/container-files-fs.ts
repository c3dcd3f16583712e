/**
 * Reads and writes files of running containers by descriptors below the root of the container: its
 * links and `..` cannot lead outside, FIFOs and devices are never opened, and kernel file systems
 * are neither read nor written. Only worker threads call this: a disk or a mount of the container
 * may block a call.
 */
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, ftruncateSync, lstatSync, mkdirSync, openSync, readdirSync, readlinkSync, readSync, lchownSync, symlinkSync, unlinkSync, writeSync } from 'node:fs';
import type { Stats } from 'node:fs';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { ClusterError } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';
import { PathError, openInRoot } from '../kernel/path-syscall.ts';
import { isOfKernel, openContainerRoot, openPlace, pathOf } from '../runtime/container-root-fs.ts';
import type { ContainerRoot } from '../runtime/container-root-fs.ts';
import { TarReader } from '../snapshot/tar-reader.ts';
import type { TarEntry, TarSink } from '../snapshot/tar-reader.ts';
import type { Fragment } from '../snapshot/tar-sparse.ts';
import { fileExtents } from './file-extents-fs.ts';
import { sparseHeader, storedBytes, tarHeader, tarPadding, TAR_END } from './tar-writer.ts';
import type { ArchiveEntry } from './tar-writer.ts';

const READ_BYTES = 65_536;
/** Source: stat(3type), st_blocks */
const STAT_BLOCK_BYTES = 512;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;
const NO_FOLLOW = constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Source: errno(3) */
const ELOOP = 40;
const REASONS: Readonly<Record<number, string>> = { 2: 'does not exist', 13: 'is not to be read', 20: 'is no directory', 40: 'is a link or leads in circles' };

/** Maximum depth of directories: each level of a walk holds a descriptor. */
const MAX_DEPTH = 256;

/**
 * Yields a tar stream of `path`: a file, the link itself, or a directory with everything below.
 * @throws ClusterError
 */
export function* archiveFiles(container: ProcessIdentity, path: string): Generator<Uint8Array> {
  const root = openContainerRoot(container);
  try {
    const name = toLatin1(path.split('/').filter(part => part !== '' && part !== '.').at(-1) ?? '.');
    const isLink = yield* archiveLink(root, path, name);
    if (!isLink) {
      yield* archiveOpen(openPath(root.fd, path, constants.O_RDONLY | constants.O_NONBLOCK), { name, hostBase: root.hostBase, depth: 0 });
    }
    yield TAR_END;
  } finally {
    closeSync(root.fd);
  }
}

/**
 * Unpacks a tar stream into the directory `path`, piece by piece. Each call throws ClusterError for
 * a bad archive or path; earlier entries stay.
 */
export class FileUnpacking {
  readonly #target: number;
  readonly #sink: Unpacker;
  readonly #reader: TarReader;

  constructor(container: ProcessIdentity, path: string) {
    const root = openContainerRoot(container);
    try {
      this.#target = openPath(root.fd, path, DIRECTORY);
    } finally {
      closeSync(root.fd);
    }
    this.#sink = new Unpacker(this.#target, root.hostBase);
    this.#reader = new TarReader(this.#sink);
  }

  write(bytes: Uint8Array): void {
    this.#reader.write(bytes);
  }

  end(): void {
    this.#reader.end();
  }

  close(): void {
    this.#sink.close();
    closeSync(this.#target);
  }
}

/**
 * Writes the entries of an archive below an open directory. Parents are created; a symbolic link on
 * the path is refused.
 */
class Unpacker implements TarSink {
  readonly #target: number;
  readonly #hostBase: number;
  #file: number | undefined;
  #position = 0;

  constructor(target: number, hostBase: number) {
    this.#target = target;
    this.#hostBase = hostBase;
  }

  entry(entry: TarEntry): void {
    const parts = entry.name.split('/').filter(part => part !== '' && part !== '.');
    if (parts.includes('..') || entry.name.includes('\0')) {
      throw new ClusterError('INVALID_ARGUMENT', `entry ${quoted(entry.name)} leads out of the archive`);
    }
    const name = parts.pop();
    if (name === undefined) {
      return; // The directory itself.
    }
    const parent = parts.reduce((fd, part) => this.#step(fd, part, fd !== this.#target), this.#target);
    try {
      this.#make(parent, name, entry);
    } finally {
      if (parent !== this.#target) {
        closeSync(parent);
      }
    }
  }

  content(piece: Uint8Array): void {
    for (let at = 0; this.#file !== undefined && at < piece.length;) {
      const written = writeSync(this.#file, piece, at, piece.length - at, this.#position);
      at += written;
      this.#position += written;
    }
  }

  hole(lengthBytes: number): void {
    if (this.#file === undefined) return;
    ftruncateSync(this.#file, fstatSync(this.#file).size + lengthBytes);
    this.#position = fstatSync(this.#file).size;
  }

  endEntry(): void {
    this.close();
  }

  close(): void {
    if (this.#file !== undefined) {
      closeSync(this.#file);
      this.#file = undefined;
      this.#position = 0;
    }
  }

  #make(parent: number, name: string, entry: TarEntry): void {
    const at = below(parent, name);
    const uid = this.#hostBase + entry.uid;
    const gid = this.#hostBase + entry.gid;
    switch (entry.type) {
      case 'directory': {
        const fd = this.#step(parent, name, false);
        own(fd, uid, gid, entry.mode);
        closeSync(fd);
        return;
      }
      case 'file':
        removeOther(at);
        this.#file = openInRoot(parent, Buffer.from(name, 'latin1'), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW, 0o600);
        own(this.#file, uid, gid, entry.mode);
        return;
      case 'symlink':
        removeOther(at);
        symlinkSync(Buffer.from(entry.linkName, 'latin1'), at);
        lchownSync(at, uid, gid);
        return;
      case 'hardlink':
      case 'device':
      case 'fifo':
      case 'socket':
        throw new ClusterError('INVALID_ARGUMENT', `entry ${quoted(entry.name)} is a ${entry.type}, which is not copied`);
    }
  }

  /** Opens the directory `name` in `fd`, and creates it if it is missing. */
  #step(fd: number, name: string, closesParent: boolean): number {
    try {
      const at = below(fd, name);
      if (lstatSync(at, { throwIfNoEntry: false }) === undefined) {
        mkdirSync(at, 0o755);
        lchownSync(at, this.#hostBase, this.#hostBase);
      }
      return openPath(fd, Buffer.from(name, 'latin1'), DIRECTORY | constants.O_NOFOLLOW, true);
    } finally {
      if (closesParent) {
        closeSync(fd);
      }
    }
  }
}

/**
 * Archives a symbolic link that `path` names without a final slash. Returns false for anything
 * else.
 */
function* archiveLink(root: ContainerRoot, path: string, name: string): Generator<Uint8Array, boolean> {
  const parent = openPath(root.fd, `${path}/..`.replace(/[^/]+\/\.\.$/, '.'), DIRECTORY);
  try {
    const facts = lstatSync(below(parent, name), { throwIfNoEntry: false });
    if (facts?.isSymbolicLink() !== true || /(?:^|\/)\.{0,2}$/.test(path)) {
      return false;
    }
    yield* archiveChild(parent, name, { name, hostBase: root.hostBase, depth: 0 });
    return true;
  } finally {
    closeSync(parent);
  }
}

/** Position of a walk: the name in the archive, and the number of parent directories. */
interface Place {
  readonly name: string;
  readonly hostBase: number;
  readonly depth: number;
}

/** Archives the file or directory of `fd`, and closes it. */
function* archiveOpen(fd: number, place: Place): Generator<Uint8Array> {
  try {
    const facts = fstatSync(fd);
    const entry = { ...entryOf(facts, place), mode: facts.mode };
    if (facts.isFile()) {
      yield* archiveFile(fd, facts, { ...entry, type: 'file', sizeBytes: facts.size });
      return;
    }
    yield tarHeader({ ...entry, type: 'directory', sizeBytes: 0 });
    // At the mount point of a kernel file system, only the directory belongs to the container.
    if (isOfKernel(fd)) return;
    if (place.depth === MAX_DEPTH) throw new ClusterError('INVALID_ARGUMENT', `${quoted(place.name)} is over ${String(MAX_DEPTH)} directories deep; copy a part of it`);
    for (const child of readdirSync(below(fd, '.'), { encoding: 'latin1' }).sort()) {
      yield* archiveChild(fd, child, { ...place, name: `${place.name}/${child}`, depth: place.depth + 1 });
    }
  } finally {
    closeSync(fd);
  }
}

function* archiveChild(parent: number, child: string, place: Place): Generator<Uint8Array> {
  const at = below(parent, child);
  const facts = lstatSync(at, { throwIfNoEntry: false });
  if (facts === undefined) {
    return; // Removed during the walk.
  }
  if (facts.isSymbolicLink()) {
    const linkName = readlinkSync(at, { encoding: 'latin1' });
    yield tarHeader({ ...entryOf(facts, place), linkName, type: 'symlink', mode: 0o777, sizeBytes: 0 });
  } else if (facts.isFile() || facts.isDirectory()) {
    const fd = openChild(parent, child);
    if (fd !== undefined) yield* archiveOpen(fd, place);
  }
}

function entryOf(facts: Stats, { name, hostBase }: Place): Omit<ArchiveEntry, 'type' | 'sizeBytes' | 'mode'> {
  return { name, linkName: '', uid: Math.max(0, facts.uid - hostBase), gid: Math.max(0, facts.gid - hostBase), modifiedAtSeconds: facts.mtimeMs / 1000 };
}

/** Archives a file without its holes: the cost depends on its data, not on its size. */
function* archiveFile(fd: number, facts: Stats, entry: ArchiveEntry): Generator<Uint8Array> {
  const hasHoles = facts.blocks * STAT_BLOCK_BYTES < facts.size && Number.isSafeInteger(facts.size);
  const fragments = hasHoles ? fileExtents(fd, facts.size) : [{ offset: 0, lengthBytes: facts.size }];
  yield fragments[0]?.lengthBytes === facts.size ? tarHeader(entry) : sparseHeader(entry, fragments);
  for (const fragment of fragments) yield* contents(fd, fragment);
  yield tarPadding(storedBytes(fragments));
}

/**
 * Yields exactly `lengthBytes`: zeros follow if the file shrank meanwhile; a file that grew is cut.
 */
function* contents(fd: number, { offset, lengthBytes }: Fragment): Generator<Uint8Array> {
  for (let done = 0; done < lengthBytes;) {
    const buffer = Buffer.alloc(Math.min(READ_BYTES, lengthBytes - done));
    const length = readSync(fd, buffer, 0, buffer.length, offset + done);
    const piece = length === 0 ? buffer : buffer.subarray(0, length);
    done += piece.length;
    yield piece;
  }
}

/** Opens a file or directory of the container after a check of its type. @throws ClusterError */
function openPath(directory: number, path: string | Buffer, flags: number, isWrite = false): number {
  const place = placeOf(directory, path, flags, isWrite);
  try {
    const facts = fstatSync(place);
    if (!facts.isFile() && !facts.isDirectory()) {
      throw new ClusterError('INVALID_ARGUMENT', `${quoted(String(path))} ${facts.isSymbolicLink() ? String(REASONS[ELOOP]) : 'is no file, directory or link'}`);
    }
    if (isOfKernel(place)) throw ofKernel(path);
    return openSync(pathOf(place), flags & ~constants.O_NOFOLLOW);
  } finally {
    closeSync(place);
  }
}

/**
 * Opens an entry for a walk; undefined for a file of a kernel file system, whose mount point is
 * listed without content.
 */
function openChild(parent: number, child: string): number | undefined {
  const place = placeOf(parent, Buffer.from(child, 'latin1'), constants.O_NOFOLLOW, false);
  try {
    const facts = fstatSync(place);
    if (!facts.isDirectory() && (!facts.isFile() || isOfKernel(place))) return undefined; // The entry changed, or belongs to the kernel.
    return openSync(pathOf(place), constants.O_RDONLY | constants.O_NONBLOCK);
  } finally {
    closeSync(place);
  }
}

function placeOf(directory: number, path: string | Buffer, flags: number, isWrite: boolean): number {
  try {
    return openPlace(directory, path, flags);
  } catch (error) {
    if (!(error instanceof PathError)) {
      throw error;
    }
    const reason = REASONS[error.errno] ?? `cannot be opened (errno ${String(error.errno)})`;
    throw new ClusterError(error.errno === 2 && !isWrite ? 'NOT_FOUND' : 'INVALID_ARGUMENT', `${quoted(String(path))} ${reason}`, { cause: error });
  }
}

function ofKernel(path: string | Buffer): ClusterError {
  return new ClusterError('INVALID_ARGUMENT', `${quoted(String(path))} is in proc or sys, which the kernel fills; name a file of the container`);
}

/**
 * Returns the path of `name` in an open directory: one component, so no link can be on the path.
 */
function below(fd: number, name: string): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${String(fd)}/`), Buffer.from(name, 'latin1')]);
}

function removeOther(at: Buffer): void {
  const facts = lstatSync(at, { throwIfNoEntry: false });
  if (facts?.isDirectory() === true) {
    throw new ClusterError('INVALID_ARGUMENT', 'a directory is where the archive has a file');
  }
  if (facts !== undefined) {
    unlinkSync(at);
  }
}

function own(fd: number, uid: number, gid: number, mode: number): void {
  fchownSync(fd, uid, gid);
  fchmodSync(fd, mode & 0o7777);
}

function toLatin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
