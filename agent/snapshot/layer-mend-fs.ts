/**
 * Layers are unpacked each by itself. What an entry meant with the layers below it in place, a mend says: a layer more, right above its own.
 *
 * Source: OCI image-spec, layer.md: a layer is a change of the file system that the layers below make. moby and containerd unpack into
 * that file system, so that a link of a lower layer is followed and a file of a lower layer gets another name.
 */
import { readlinkSync } from 'node:fs';
import { ClusterError, isClusterError } from '#model/errors.ts';
import {
  closeDescriptor, makeHardlink, makeSymlink, makeWhiteout, openDirectory, openDirectoryForAttributes, openDirectoryInRoot, setAttribute, changeOpenTime, changeOwner, changeTime,
} from '../kernel/file-syscall.ts';
import { configureFileSystem, createMount, openFileSystem } from '../kernel/mount-syscall.ts';
import { OPAQUE_ATTRIBUTE } from './layer-nodes-fs.ts';
import type { LayerSummary, LinkBelow } from './ports.ts';
import { shown } from './tar-reader.ts';
import { copyDirectoryFacts, copyNode, differ, findNode, haveOtherTimes, isCode, isOpaque, listNames, openOrMakeDirectory, readLink, removeNode, timeOf } from './tree-nodes-fs.ts';
import type { FoundNode } from './tree-nodes-fs.ts';

/** Source: fcntl.h AT_FDCWD. */
const AT_FDCWD = -100;

export interface Mending {
  /** Directories of the layers below, lowest first. */
  readonly lower: readonly string[];
  readonly layer: string;
  readonly summary: LayerSummary;
  /** An empty directory, which becomes the mend. */
  readonly tree: string;
}

/**
 * Fills `tree` with what layer `layer` lacks; false when it lacks nothing.
 *
 * 1. Entries below a link of a lower layer are also where the link leads, and the link stays. 2. A directory that no entry is for is as a
 * lower layer has it, its time too. 3. A hardlink to a file of a lower layer is a second name of a copy. Layers stay as they are; files of the layer itself are
 * linked, not copied.
 *
 * @throws ClusterError FAILED_PRECONDITION for a hardlink to nothing
 */
export function mendLayer(mending: Mending): boolean {
  const { impliedDirectories, linksBelow, whiteoutDirectories } = mending.summary;
  if (impliedDirectories === undefined && linksBelow === undefined && whiteoutDirectories === undefined) {
    return false;
  }
  const mend = new Mend(mending);
  try {
    for (const path of impliedDirectories ?? []) {
      if (path === '') mend.placeRoot();
      else mend.place(path);
    }
    for (const path of whiteoutDirectories ?? []) mend.merge(path);
    for (const link of linksBelow ?? []) mend.link(link);
    mend.finish();
    return mend.isNeeded;
  } finally {
    mend.close();
  }
}

class Mend {
  readonly #mending: Mending;
  #openedLower: number | undefined;
  #openedMerged: number | undefined;
  readonly #layer: number;
  readonly #tree: number;
  readonly #implied: ReadonlySet<string>;
  readonly #moved = new Set<string>();
  /** Path of a directory of the mend -> the time that it gets once it is complete. */
  readonly #times = new Map<string, ReturnType<typeof timeOf>>();
  isNeeded = false;

  constructor(mending: Mending) {
    this.#mending = mending;
    this.#layer = openTop(mending.layer);
    this.#tree = openTop(mending.tree);
    this.#implied = new Set(mending.summary.impliedDirectories);
  }

  close(): void {
    closeAll(this.#openedLower, this.#openedMerged, this.#layer, this.#tree);
  }

  get #lower(): number | undefined {
    this.#openedLower ??= openStack(this.#mending.lower);
    return this.#openedLower;
  }

  get #merged(): number {
    this.#openedMerged ??= openStack([...this.#mending.lower, this.#mending.layer]);
    return this.#openedMerged ?? this.#layer;
  }

  /** The layer's root, when no entry is for it: that of the layer below, whose own was seen to. */
  placeRoot(): void {
    const top = this.#mending.lower.at(-1);
    if (top === undefined) return;
    const below = openTop(top);
    try {
      if (!differ(below, this.#layer)) return;
      copyDirectoryFacts(below, this.#tree);
      this.isNeeded = true;
    } finally {
      closeDescriptor(below);
    }
  }

  /** One directory that the layer has no entry for; its parents came before. */
  place(path: string): void {
    if (this.#lower === undefined || this.#isMoved(path)) return;
    const below = resolveDirectory(this.#lower, path);
    const own = openPlain(this.#layer, path);
    try {
      if (below === undefined || own === undefined) return;
      if (below.path === path) {
        // What the layer marks opaque is its own.
        if (!isOpaque(own) && (differ(below.descriptor, own) || haveOtherTimes(below.descriptor, own))) closeDescriptor(this.#ensure(path));
      } else if (this.#isPlainInLower(parentOf(path))) {
        this.#copyLink(path);
        this.#moved.add(path);
        this.#move(own, path, below.path);
      }
    } finally {
      closeAll(below?.descriptor, own);
    }
  }

  /**
   * A directory with whiteouts that no other layer has: a listing of it would show them, since overlayfs leaves them out of merged
   * directories alone. One more in the mend makes it merged. Source: fs/overlayfs/readdir.c, ovl_iterate(), ovl_fill_real()
   */
  merge(path: string): void {
    if (this.#isMoved(path)) return;
    const own = openPlain(this.#layer, path);
    let below: number | undefined;
    try {
      if (own !== undefined && !isOpaque(own) && this.#lower !== undefined) below = openPlain(this.#lower, path);
      if (own !== undefined && below === undefined) closeDescriptor(this.#ensure(path));
    } catch (error) {
      // This kernel cannot list the lower layers: the directory still shows its whiteouts.
      if (!isClusterError(error, 'FAILED_PRECONDITION')) throw error;
    } finally {
      closeAll(own, below);
    }
  }

  /** @throws ClusterError FAILED_PRECONDITION when no layer has the target */
  link({ path, target }: LinkBelow): void {
    const from = this.#openParentOf(target);
    const into = from === undefined ? undefined : this.#ensure(from.path);
    try {
      const name = baseOf(target);
      const found = from === undefined ? undefined : findNode(from.descriptor, name);
      if (from === undefined || into === undefined || found === undefined || !['file', 'symlink', 'fifo'].includes(found.kind)) {
        throw new ClusterError('FAILED_PRECONDITION', `hardlink target ${shown(target)} is not in this image`);
      }
      if (!this.#isFree(path)) return;
      if (findNode(into, name) === undefined) copyNode(from.descriptor, name, found, { parent: into, name });
      this.#addName(path, { parent: into, name });
    } finally {
      closeAll(from?.descriptor, into);
    }
  }

  /** Sets the times of directories, which each new entry changed, and the facts of the mend's root. */
  finish(): void {
    for (const [path, time] of this.#times) {
      const directory = openPlain(this.#tree, path);
      if (directory !== undefined) changeOpenTime(directory, time);
      closeAll(directory);
    }
    if (this.isNeeded && !this.#implied.has('')) copyDirectoryFacts(this.#layer, this.#tree);
    else if (this.isNeeded) this.placeRoot();
  }

  /** A later entry of the layer may have the name, which counts then. */
  #isFree(path: string): boolean {
    const parent = openPlain(this.#layer, parentOf(path));
    try {
      const found = parent === undefined ? undefined : findNode(parent, baseOf(path));
      return found === undefined || found.kind === 'whiteout';
    } finally {
      closeAll(parent);
    }
  }

  #addName(path: string, from: { readonly parent: number; readonly name: string }): void {
    const there = resolveDirectory(this.#merged, parentOf(path));
    const into = this.#ensure(there?.path ?? parentOf(path));
    try {
      removeNode(into, baseOf(path));
      makeHardlink(from, into, baseOf(path));
      this.isNeeded = true;
    } finally {
      closeAll(into, there?.descriptor);
    }
  }

  /** Where a link's target is: in the mend, or in the layers. */
  #openParentOf(target: string): { readonly descriptor: number; readonly path: string } | undefined {
    const mended = resolveDirectory(this.#tree, parentOf(target));
    if (mended !== undefined) {
      if (findNode(mended.descriptor, baseOf(target)) !== undefined) return mended;
      closeDescriptor(mended.descriptor);
    }
    return resolveDirectory(this.#merged, parentOf(target));
  }

  #isMoved(path: string): boolean {
    for (let parent = path; parent !== ''; parent = parentOf(parent)) {
      if (this.#moved.has(parent)) return true;
    }
    return false;
  }

  /** True when no link is on the way to `path` in the layers below, so that `path` itself is what differs. */
  #isPlainInLower(path: string): boolean {
    const found = this.#lower === undefined ? undefined : resolveDirectory(this.#lower, path);
    closeAll(found?.descriptor);
    return found?.path === path;
  }

  #copyLink(path: string): void {
    const below = this.#lower === undefined ? undefined : resolveDirectory(this.#lower, parentOf(path));
    const into = this.#ensure(parentOf(path));
    try {
      const name = baseOf(path);
      const found = below === undefined ? undefined : findNode(below.descriptor, name);
      if (below === undefined || found?.kind !== 'symlink') throw new RangeError(`no link at ${shown(path)}`);
      makeSymlink(readLink(below.descriptor, name), into, name);
      changeOwner(into, name, { uid: Number(found.stat.uid), gid: Number(found.stat.gid) });
      changeTime(into, name, timeOf(found.stat));
      this.isNeeded = true;
    } finally {
      closeAll(below?.descriptor, into);
    }
  }

  /** Adds what the layer has in `directory` (its `path`) at `target` of the mend. */
  #move(directory: number, path: string, target: string): void {
    const into = this.#ensure(target);
    try {
      for (const name of listNames(directory)) {
        const found = findNode(directory, name);
        if (found?.kind === 'directory') this.#moveDirectory(directory, { name, path: joined(path, name) }, joined(target, name));
        else if (found !== undefined) moveFile(directory, name, found, into);
      }
    } finally {
      closeDescriptor(into);
    }
  }

  #moveDirectory(parent: number, { name, path }: { readonly name: string; readonly path: string }, target: string): void {
    const directory = openDirectoryForAttributes(parent, name);
    const isImplied = this.#implied.has(path);
    const below = isImplied && this.#lower !== undefined ? resolveDirectory(this.#lower, path) : undefined;
    try {
      const place = below?.path ?? target;
      if (!isImplied || below === undefined) {
        const made = this.#ensure(place);
        this.#times.set(place, copyDirectoryFacts(directory, made));
        if (isOpaque(directory)) setAttribute(made, OPAQUE_ATTRIBUTE, Buffer.from('y'));
        closeDescriptor(made);
      }
      this.#move(directory, path, place);
    } finally {
      closeAll(directory, below?.descriptor);
    }
  }

  /** Opens `path` of the mend; directories are made as the layers have them. The caller closes it. */
  #ensure(path: string): number {
    let descriptor = openDirectoryForAttributes(this.#tree, '.');
    let sofar = '';
    for (const name of names(path)) {
      sofar = joined(sofar, name);
      const isNew = findNode(descriptor, name) === undefined;
      const next = openOrMakeDirectory(descriptor, name);
      closeDescriptor(descriptor);
      descriptor = next;
      if (isNew) this.#copyFacts(sofar, next);
    }
    this.isNeeded ||= path !== '';
    return descriptor;
  }

  #copyFacts(path: string, to: number): void {
    const root = this.#implied.has(path) && this.#lower !== undefined ? this.#lower : this.#merged;
    const model = resolveDirectory(root, path) ?? resolveDirectory(this.#merged, path);
    if (model === undefined) return;
    try {
      this.#times.set(path, copyDirectoryFacts(model.descriptor, to));
    } finally {
      closeDescriptor(model.descriptor);
    }
  }
}

/** Hides, or gives a file of the layer its name where a link leads. */
function moveFile(directory: number, name: string, found: FoundNode, into: number): void {
  removeNode(into, name);
  if (found.kind === 'whiteout') makeWhiteout(into, name);
  else makeHardlink({ parent: directory, name }, into, name);
}

/** The layers together, lowest first, as the kernel sees them; in no tree, gone when closed. Undefined for none. */
function openStack(layers: readonly string[]): number | undefined {
  const [first] = layers;
  if (first === undefined) return undefined;
  if (layers.length === 1) return openTop(first);
  const context = openFileSystem('overlay');
  try {
    for (const layer of [...layers].reverse()) configureFileSystem(context, 'lowerdir+', layer);
    return createMount(context);
  } catch (error) {
    if (isCode(error, 'EINVAL')) throw new ClusterError('FAILED_PRECONDITION', 'an image whose layers reach into each other needs Linux 6.7', { cause: error });
    throw error;
  } finally {
    closeDescriptor(context);
  }
}

function openTop(directory: string): number {
  return openDirectoryForAttributes(AT_FDCWD, Buffer.from(directory).toString('latin1'));
}

/** The directory that `path` leads to with `root` as `/`, and its path without links; undefined when there is none. The caller closes it. */
function resolveDirectory(root: number, path: string): { readonly descriptor: number; readonly path: string } | undefined {
  let descriptor: number;
  try {
    const found = openDirectoryInRoot(root, path === '' ? '.' : path);
    descriptor = openDirectoryForAttributes(found, '.');
    closeDescriptor(found);
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
  const top = placeOf(root);
  return { descriptor, path: placeOf(descriptor).slice(top === '/' ? 1 : top.length + 1) };
}

/** Source: proc_pid_fd(5): the path of an open directory, in a mount that is in no tree the path from its root. */
function placeOf(descriptor: number): string {
  return readlinkSync(`/proc/self/fd/${String(descriptor)}`, { encoding: 'latin1' });
}

/** Directory `path` of the layer itself, through no link. */
function openPlain(root: number, path: string): number | undefined {
  let descriptor = openDirectory(root, '.');
  for (const name of names(path)) {
    const parent = descriptor;
    try {
      descriptor = openDirectory(parent, name);
    } catch (error) {
      if (isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
      throw error;
    } finally {
      closeDescriptor(parent);
    }
  }
  try {
    return openDirectoryForAttributes(descriptor, '.');
  } finally {
    closeDescriptor(descriptor);
  }
}

function closeAll(...descriptors: readonly (number | undefined)[]): void {
  for (const descriptor of descriptors) {
    if (descriptor !== undefined) closeDescriptor(descriptor);
  }
}

const names = (path: string): readonly string[] => path === '' ? [] : path.split('/');
const joined = (parent: string, name: string): string => parent === '' ? name : `${parent}/${name}`;
const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
