import { closeSync, fchmodSync, ftruncateSync, writeSync } from 'node:fs';
import { ClusterError } from '#model/errors.ts';
import {
  SyscallError, changeOpenTime, changeOwner, changeTime, createFile, makeFifo, makeHardlink, makeSymlink, makeWhiteout, openDirectoryForAttributes, removeFile,
  rename, seekToEnd,
} from '../kernel/file-syscall.ts';
import { planEntry } from './layer-entries.ts';
import type { FileOperation, LayerPath } from './layer-entries.ts';
import { findNode, setAttributes, setOpaque, setOwnerAndMode } from './layer-nodes-fs.ts';
import { LayerParents } from './layer-parents-fs.ts';
import type { LayerLimits, LayerSummary, LinkBelow } from './ports.ts';
import { shown } from './tar-reader.ts';
import type { TarEntry, TarSink } from './tar-reader.ts';

/** Source: inode(7). */
const S_ISGID = 0o2000;
/** Time of the root of a layer without entries. */
const EPOCH: TarEntry['time'] = { seconds: 0, nanoseconds: 0 };

/**
 * Writes a layer's entries under directory `root`, as overlayfs wants a lower directory.
 *
 * 1. Every name is opened under its parent's descriptor and never as a joined path; a link met as a parent is resolved with the layer as root.
 * 2. An entry replaces what has its name and never writes through it. 3. Whiteouts hide lower layers alone, whatever their place in the stream.
 * 4. Attributes other than `user.*` and `security.capability` are dropped. 5. A directory has the time of its entry. An
 * implied directory has the time of the first entry below it.
 * 6. A directory that an entry replaces is moved into `aside`, a directory of the same file system. 7. The process's umask is 0, or modes lack its bits.
 *
 * @throws ClusterError FAILED_PRECONDITION (hostile, or over the limits); SyscallError
 */
export class LayerWriter implements TarSink {
  readonly #root: number;
  readonly #aside: number;
  readonly #parents: LayerParents;
  #movedAside = 0;
  readonly #limits: LayerLimits;
  #entries = 0;
  #fileBytes = 0;
  #pathBytes = 0;
  #skippedDevices = 0;
  #hidesLower = false;
  #open: { readonly descriptor: number; readonly entry: TarEntry } | undefined;
  /**
   * The root among them, also in a layer without entries. Each has the time of the entry that implied it, which is the
   * same on each node.
   */
  readonly #implied = new Map([['', EPOCH]]);
  readonly #whiteoutDirectories = new Set<string>();
  #entryTime = EPOCH;
  readonly #linksBelow: LinkBelow[] = [];
  /** Files made in a directory with the set-gid bit get its group, so from the first one on each file's owner is set. */
  #hasGroupDirectory = false;
  readonly #directories: { readonly path: LayerPath; readonly entry: TarEntry }[] = [];

  constructor({ root, aside }: { readonly root: number; readonly aside: number }, limits: LayerLimits) {
    this.#root = root;
    this.#aside = aside;
    this.#limits = limits;
    this.#parents = new LayerParents(root, path => { this.#imply(path); });
  }

  entry(entry: TarEntry): void {
    this.#entries += 1;
    this.#pathBytes += entry.name.length;
    this.#entryTime = entry.time;
    if (this.#entries === 1) this.#implied.set('', entry.time);
    this.#checkLimits(entry);
    const operation = planEntry(entry, this.#limits.maxId);
    try {
      this.#perform(operation);
    } catch (error) {
      throw explain(error, entry);
    }
  }

  content(piece: Uint8Array): void {
    this.#fileBytes += piece.length;
    if (this.#open === undefined) return;
    for (let at = 0; at < piece.length;) {
      at += writeSync(this.#open.descriptor, piece, at, piece.length - at);
    }
  }

  /** A file that ends in a hole, or is one, gets its length; what is written after a hole goes after it. */
  hole(lengthBytes: number): void {
    if (this.#open === undefined) return;
    const { descriptor } = this.#open;
    ftruncateSync(descriptor, seekToEnd(descriptor) + lengthBytes);
    seekToEnd(descriptor);
  }

  endEntry(): void {
    if (this.#open === undefined) return;
    const { descriptor, entry } = this.#open;
    this.#open = undefined;
    try {
      if (entry.uid !== 0 || entry.gid !== 0 || this.#hasGroupDirectory) changeOwner(descriptor, '', entry);
      // Made with its permissions; the other bits come last, since a write or a new owner clears them.
      if ((entry.mode & ~0o777) !== 0) fchmodSync(descriptor, entry.mode);
      setAttributes(descriptor, entry);
      changeOpenTime(descriptor, entry.time);
    } finally {
      closeSync(descriptor);
    }
  }

  /** Sets what waits for the end, and says what was written. */
  finish(): LayerSummary {
    for (const [path, time] of this.#implied) this.#setTime(path === '' ? [] : path.split('/'), time);
    for (const { path, entry } of this.#directories) this.#setTime(path, entry.time);
    this.close();
    return {
      entries: this.#entries, fileBytes: this.#fileBytes, skippedDevices: this.#skippedDevices, hidesLower: this.#hidesLower,
      ...(this.#implied.size === 0 ? {} : { impliedDirectories: [...this.#implied.keys()].sort() }),
      ...(this.#whiteoutDirectories.size === 0 ? {} : { whiteoutDirectories: [...this.#whiteoutDirectories].sort() }),
      ...(this.#linksBelow.length === 0 ? {} : { linksBelow: this.#linksBelow }),
    };
  }

  /** A later entry may have put something else there. */
  #setTime(path: LayerPath, time: TarEntry['time']): void {
    const name = path.at(-1) ?? '.';
    const parent = this.#parents.openFound(path);
    if (parent !== undefined && findNode(parent, name) === 'directory') changeTime(parent, name, time);
  }

  close(): void {
    this.#parents.forget();
    if (this.#open !== undefined) closeSync(this.#open.descriptor);
    this.#open = undefined;
  }

  #checkLimits(entry: TarEntry): void {
    const { maxEntries, maxFileBytes, maxPathBytes } = this.#limits;
    const problem = this.#entries > maxEntries ? `more than ${String(maxEntries)} entries`
      : entry.sizeBytes > maxFileBytes ? `file ${shown(entry.name)} larger than the limit ${String(maxFileBytes)} bytes`
        : this.#pathBytes > maxPathBytes ? `names of more than ${String(maxPathBytes)} bytes` : undefined;
    if (problem !== undefined) {
      throw new ClusterError('FAILED_PRECONDITION', problem);
    }
  }

  #perform(operation: FileOperation): void {
    switch (operation.kind) {
      case 'skip':
        this.#skippedDevices += Number(operation.what === 'device');
        return;
      case 'directory':
        this.#addDirectory(operation.path, operation.entry);
        return;
      case 'opaque':
        this.#markOpaque(operation.path);
        return;
      case 'whiteout':
        this.#addWhiteout(operation.path);
        return;
      case 'hardlink':
        this.#addHardlink(operation);
        return;
      case 'file':
      case 'fifo':
      case 'symlink':
        this.#addNode(operation);
    }
  }

  #addNode(operation: Extract<FileOperation, { entry: TarEntry }> & { kind: 'file' | 'fifo' | 'symlink' }): void {
    const { entry, path } = operation;
    const name = requireName(path);
    const parent = this.#parents.open(path, { isMaking: true });
    this.#replacing(parent, name, () => {
      switch (operation.kind) {
        case 'file':
          this.#open = { descriptor: createFile(parent, name, entry.mode), entry };
          return;
        case 'fifo':
          makeFifo(parent, name, entry.mode & 0o777);
          return;
        case 'symlink':
          makeSymlink(operation.target, parent, name);
      }
    });
    if (operation.kind !== 'file') {
      changeOwner(parent, name, entry);
      changeTime(parent, name, entry.time);
    }
  }

  /** A target that this layer does not have may be in a lower one. */
  #addHardlink({ path, target }: FileOperation & { kind: 'hardlink' }): void {
    const name = requireName(path);
    const from = requireName(target);
    const targetParent = this.#parents.openTarget(target);
    try {
      const found = targetParent === undefined ? 'nothing' : findNode(targetParent, from);
      if (targetParent === undefined || found === 'nothing' || found === 'whiteout' || found === 'directory') {
        this.#linksBelow.push({ path: path.join('/'), target: target.join('/') });
        this.#pathBytes += name.length + from.length;
        return;
      }
      if (path.join('/') === target.join('/')) return;
      const parent = this.#parents.open(path, { isMaking: true });
      this.#replacing(parent, name, () => { makeHardlink({ parent: targetParent, name: from }, parent, name); });
    } finally {
      if (targetParent !== undefined && targetParent !== this.#root) closeSync(targetParent);
    }
  }

  #addDirectory(path: LayerPath, entry: TarEntry): void {
    const name = path.at(-1);
    const parent = this.#parents.open(path, { isMaking: true });
    if (name !== undefined) this.#parents.makeDirectory(parent, name);
    const descriptor = openDirectoryForAttributes(parent, name ?? '.');
    try {
      setOwnerAndMode(descriptor, entry);
    } finally {
      closeSync(descriptor);
    }
    this.#hasGroupDirectory ||= (entry.mode & S_ISGID) !== 0;
    this.#implied.delete(path.join('/'));
    this.#directories.push({ path, entry });
  }

  #addWhiteout(path: LayerPath): void {
    const name = requireName(path);
    const parent = this.#parents.open(path, { isMaking: true });
    const found = findNode(parent, name);
    if (found === 'nothing') {
      makeWhiteout(parent, name);
      this.#noteWhiteout(path.slice(0, -1).join('/'));
    } else if (found === 'directory') setOpaque(parent, name);
  }

  #noteWhiteout(directory: string): void {
    if (directory === '' || this.#whiteoutDirectories.has(directory)) return;
    this.#whiteoutDirectories.add(directory);
    this.#pathBytes += directory.length;
  }

  #markOpaque(path: LayerPath): void {
    const parent = this.#parents.open(path, { isMaking: true });
    const name = path.at(-1);
    if (name === undefined) {
      this.#hidesLower = true;
      return;
    }
    if (findNode(parent, name) !== 'directory') this.#imply(path);
    this.#parents.makeDirectory(parent, name);
    setOpaque(parent, name);
  }

  #imply(path: LayerPath): void {
    const key = path.join('/');
    this.#implied.set(key, this.#entryTime);
    this.#pathBytes += key.length;
  }

  /** Runs `make`; when the name is taken, once more after taking it away. */
  #replacing(parent: number, name: string, make: () => void): void {
    try {
      make();
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      this.#parents.forgetUnless(parent);
      this.#takeAway(parent, name);
      make();
    }
  }

  /** A directory goes aside whole: the agent deletes it later, so that a deep one costs nothing here. */
  #takeAway(parent: number, name: string): void {
    if (findNode(parent, name) !== 'directory') {
      removeFile(parent, name);
      return;
    }
    this.#movedAside += 1;
    rename({ parent, name }, this.#aside, String(this.#movedAside));
  }

}

function requireName(path: LayerPath): string {
  const name = path.at(-1);
  if (name === undefined) {
    throw new ClusterError('FAILED_PRECONDITION', 'an entry takes the place of the layer\'s root');
  }
  return name;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof SyscallError && error.code === code;
}

/** Errors that the entry's own shape causes are the image's fault; others pass. */
function explain(error: unknown, entry: TarEntry): unknown {
  const reason = error instanceof SyscallError ? SHAPE_REASONS[error.code] : undefined;
  return reason === undefined ? error : new ClusterError('FAILED_PRECONDITION', `entry ${shown(entry.name)} cannot be made in the layer: ${reason}`, { cause: error });
}

/** What in an entry, or in those before it, makes a system call fail. Source: openat2(2), mkdirat(2), linkat(2), rename(2) */
const SHAPE_REASONS: Readonly<Record<string, string>> = {
  ENOTDIR: 'a part of its path is not a directory',
  ELOOP: 'its path goes through too many links',
  ENOENT: 'a link in its path leads to nothing in the layer',
  EISDIR: 'a directory has its name',
  ENAMETOOLONG: 'a name in its path is too long',
  EMLINK: 'the file has too many hard links',
  EINVAL: 'the kernel refuses its path or attributes (EINVAL)',
  EXDEV: 'a link in its path leads out of the layer',
  EPERM: 'the kernel does not allow it (EPERM)',
};
