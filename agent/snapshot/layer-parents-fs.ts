import { closeSync } from 'node:fs';
import { SyscallError, makeDirectory, openDirectory, openDirectoryInRoot, removeFile } from '../kernel/file-syscall.ts';
import type { LayerPath } from './layer-entries.ts';
import { findNode, setOpaque } from './layer-nodes-fs.ts';

const IMPLIED_DIRECTORY_MODE = 0o755;

/**
 * The directories that a layer's entries are put into, opened name by name under descriptor `root`; a link in the way is resolved with the layer as root.
 * The last one stays open, since the entries of a directory mostly follow each other.
 */
export class LayerParents {
  readonly #root: number;
  readonly #onImplied: (path: LayerPath) => void;
  /** Parent of the last entry; forgotten when anything is taken away. */
  #cached: { readonly path: string; readonly descriptor: number } | undefined;

  /** @param onImplied  told of each directory that is made without an entry of its own */
  constructor(root: number, onImplied: (path: LayerPath) => void) {
    this.#root = root;
    this.#onImplied = onImplied;
  }

  /** The directory that `path`'s last name is in. It belongs to the cache. @throws SyscallError */
  open(path: LayerPath, { isMaking }: { readonly isMaking: boolean }): number {
    const names = path.slice(0, -1);
    if (names.length === 0) return this.#root;
    const key = names.join('/');
    if (this.#cached?.path === key) return this.#cached.descriptor;
    this.forget();
    let descriptor = this.#root;
    for (const [depth, name] of names.entries()) {
      const next = this.#step(descriptor, names.slice(0, depth + 1), { name, isMaking });
      if (descriptor !== this.#root) closeSync(descriptor);
      descriptor = next;
    }
    this.#cached = { path: key, descriptor };
    return descriptor;
  }

  /** The same where it is there; nothing is made. */
  openFound(path: LayerPath): number | undefined {
    try {
      return this.open(path, { isMaking: false });
    } catch (error) {
      if (error instanceof SyscallError && ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(error.code)) return undefined;
      throw error;
    }
  }

  /** The directory that holds a link's target, links in the way resolved with the layer as root; undefined when there is none. The caller closes it. */
  openTarget(target: LayerPath): number | undefined {
    if (target.length === 1) return this.#root;
    try {
      return openDirectoryInRoot(this.#root, target.slice(0, -1).join('/'));
    } catch (error) {
      if (error instanceof SyscallError && ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(error.code)) return undefined;
      throw error;
    }
  }

  /** What is taken away may be an ancestor of the cached directory, unless that is the very parent in use. */
  forgetUnless(parent: number): void {
    if (this.#cached !== undefined && this.#cached.descriptor !== parent) this.forget();
  }

  forget(): void {
    if (this.#cached !== undefined) closeSync(this.#cached.descriptor);
    this.#cached = undefined;
  }

  /** A directory that takes the place of a whiteout must go on hiding what the whiteout hid. */
  makeDirectory(parent: number, name: string): void {
    const found = findNode(parent, name);
    if (found === 'directory') return;
    if (found !== 'nothing') {
      this.forgetUnless(parent);
      removeFile(parent, name);
    }
    makeDirectory(parent, name, IMPLIED_DIRECTORY_MODE);
    if (found === 'whiteout') setOpaque(parent, name);
  }

  #step(parent: number, sofar: LayerPath, { name, isMaking }: { readonly name: string; readonly isMaking: boolean }): number {
    try {
      return openDirectory(parent, name);
    } catch (error) {
      const found = findNode(parent, name);
      if (found === 'link') return openDirectoryInRoot(this.#root, sofar.join('/'));
      if (!isMaking || found === 'other') throw error;
      this.makeDirectory(parent, name);
      this.#onImplied(sofar);
      return openDirectory(parent, name);
    }
  }
}
