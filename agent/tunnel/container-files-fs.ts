/**
 * Files of running containers, walked by descriptors below the container's own root: a link or `..` of its leads nowhere else,
 * fifos and devices are never opened.
 */
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, ftruncateSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, lchownSync, symlinkSync, unlinkSync, writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { ClusterError } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';
import { PathError, openInRoot } from '../kernel/path-syscall.ts';
import { TarReader } from '../snapshot/tar-reader.ts';
import type { TarEntry, TarSink } from '../snapshot/tar-reader.ts';
import type { ContainerFiles } from './ports.ts';
import { tarHeader, tarPadding, TAR_END } from './tar-writer.ts';
import type { ArchiveEntry } from './tar-writer.ts';

const READ_BYTES = 65_536;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;
const NO_FOLLOW = constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Source: errno(3) */
const REASONS: Readonly<Record<number, string>> = { 2: 'does not exist', 13: 'is not to be read', 20: 'is no directory', 40: 'is a link or leads in circles' };

export class ContainerFilesFs implements ContainerFiles {
  async *archive(container: ProcessIdentity, path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const root = openRoot(container);
    try {
      const baseName = toLatin1(path.split('/').filter(part => part !== '' && part !== '.').at(-1) ?? '.');
      const isLink = yield* archiveLink(root, path, baseName, signal);
      if (!isLink) {
        yield* archiveOpen(openPath(root.fd, path, constants.O_RDONLY | constants.O_NONBLOCK), baseName, root.hostBase, signal);
      }
      yield TAR_END;
    } finally {
      closeSync(root.fd);
    }
  }

  async unpack(container: ProcessIdentity, path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const root = openRoot(container);
    const fds = [root.fd];
    try {
      const target = openPath(root.fd, path, DIRECTORY);
      fds.push(target);
      const sink = new Unpacker(target, root.hostBase);
      try {
        const reader = new TarReader(sink);
        for await (const chunk of chunks) {
          reader.write(chunk);
          await setImmediate();
        }
        reader.end();
      } finally {
        sink.close();
      }
    } finally {
      fds.forEach(fd => { closeSync(fd); });
    }
  }
}

/** Takes the entries of a client's archive below an open directory. Parents are made; a link in the way is refused, never followed. */
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
      return; // the directory itself
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

  /** The directory `name` in `fd`, made where it is missing. */
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

/** A link that is named itself, without a slash after it, is what is copied. Answers false for anything else. */
async function* archiveLink(root: { readonly fd: number; readonly hostBase: number }, path: string, name: string, signal: AbortSignal): AsyncGenerator<Uint8Array, boolean> {
  const parent = openPath(root.fd, `${path}/..`.replace(/[^/]+\/\.\.$/, '.'), DIRECTORY);
  try {
    const facts = lstatSync(below(parent, name), { throwIfNoEntry: false });
    if (facts?.isSymbolicLink() !== true || /(?:^|\/)\.{0,2}$/.test(path)) {
      return false;
    }
    const entry = { name, linkName: '', mode: facts.mode, uid: 0, gid: 0, modifiedAtSeconds: facts.mtimeMs / 1000 };
    yield* archiveChild(parent, name, entry, { hostBase: root.hostBase, signal });
    return true;
  } finally {
    closeSync(parent);
  }
}

/** Archives what `fd` is, and closes it. */
async function* archiveOpen(fd: number, name: string, hostBase: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    const facts = fstatSync(fd);
    const entry = {
      name, linkName: '', mode: facts.mode, uid: Math.max(0, facts.uid - hostBase), gid: Math.max(0, facts.gid - hostBase), modifiedAtSeconds: facts.mtimeMs / 1000,
    };
    if (facts.isFile()) {
      yield tarHeader({ ...entry, type: 'file', sizeBytes: facts.size });
      yield* contents(fd, facts.size, signal);
    } else if (facts.isDirectory()) {
      yield tarHeader({ ...entry, type: 'directory', sizeBytes: 0 });
      for (const child of readdirSync(below(fd, '.'), { encoding: 'latin1' }).sort()) {
        signal.throwIfAborted();
        yield* archiveChild(fd, child, { ...entry, name: `${name}/${child}` }, { hostBase, signal });
      }
    }
  } finally {
    closeSync(fd);
  }
}

async function* archiveChild(parent: number, child: string, entry: Omit<ArchiveEntry, 'type' | 'sizeBytes'>, context: { readonly hostBase: number; readonly signal: AbortSignal }): AsyncGenerator<Uint8Array> {
  const at = below(parent, child);
  const facts = lstatSync(at, { throwIfNoEntry: false });
  if (facts === undefined) {
    return; // removed while the walk went on
  }
  if (facts.isSymbolicLink()) {
    const linkName = readlinkSync(at, { encoding: 'latin1' });
    const owner = { uid: Math.max(0, facts.uid - context.hostBase), gid: Math.max(0, facts.gid - context.hostBase) };
    yield tarHeader({ ...entry, ...owner, linkName, type: 'symlink', mode: 0o777, sizeBytes: 0, modifiedAtSeconds: facts.mtimeMs / 1000 });
  } else if (facts.isFile() || facts.isDirectory()) {
    const fd = openPath(parent, Buffer.from(child, 'latin1'), constants.O_RDONLY | NO_FOLLOW);
    yield* archiveOpen(fd, entry.name, context.hostBase, context.signal);
  }
}

/** Exactly `sizeBytes`: a file that shrank meanwhile is filled with zeros, one that grew is cut. */
async function* contents(fd: number, sizeBytes: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < sizeBytes;) {
    signal.throwIfAborted();
    const buffer = Buffer.alloc(Math.min(READ_BYTES, sizeBytes - done));
    const length = readSync(fd, buffer, 0, buffer.length, done);
    const piece = length === 0 ? buffer : buffer.subarray(0, length);
    done += piece.length;
    yield piece;
    await setImmediate();
  }
  yield tarPadding(sizeBytes);
}

function openRoot(container: ProcessIdentity): { readonly fd: number; readonly hostBase: number } {
  const proc = `/proc/${String(container.pid)}`;
  try {
    const hostBase = Number(/^\s*0\s+(\d+)/.exec(readFileSync(`${proc}/uid_map`, 'utf8'))?.[1] ?? 0);
    return { fd: openSync(`${proc}/root`, DIRECTORY), hostBase };
  } catch (error) {
    throw new ClusterError('FAILED_PRECONDITION', 'the container is not running', { cause: error });
  }
}

function openPath(fd: number, path: string | Buffer, flags: number, isWrite = false): number {
  try {
    return openInRoot(fd, path, flags);
  } catch (error) {
    if (!(error instanceof PathError)) {
      throw error;
    }
    const reason = REASONS[error.errno] ?? `cannot be opened (errno ${String(error.errno)})`;
    throw new ClusterError(error.errno === 2 && !isWrite ? 'NOT_FOUND' : 'INVALID_ARGUMENT', `${quoted(String(path))} ${reason}`, { cause: error });
  }
}

/** `name` in an open directory; one component, so nothing on the way can be a link. */
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
