/** Layers as one plain tree: what overlayfs shows at a mount, written down. */
import {
  SyscallError, closeDescriptor, makeDirectory, makeHardlink, openDirectoryForAttributes,
} from '../kernel/file-syscall.ts';
import { copyDirectoryFacts, copyNode, findNode, isOpaque, listNames, openOrMakeDirectory, removeNode } from './tree-nodes-fs.ts';
import type { FoundNode } from './tree-nodes-fs.ts';

/** Source: fcntl.h AT_FDCWD. */
const AT_FDCWD = -100;

/** A directory of the tree on its way. */
interface Place {
  readonly descriptor: number;
  /** From the tree's root. */
  readonly path: string;
  /** Nothing of a lower layer is in it. */
  readonly isNew: boolean;
}

/** Writes what the layers (directories, lowest first) together hold into directory `target`, which is empty. Contents are shared where the file system can. @throws SyscallError */
export function mergeLayers(layers: readonly string[], target: string): void {
  const root = openDirectoryForAttributes(AT_FDCWD, latin1(target));
  try {
    for (const [index, layer] of layers.entries()) {
      const from = openDirectoryForAttributes(AT_FDCWD, latin1(layer));
      try {
        new LayerMerge(root).addDirectory(from, { descriptor: root, path: '', isNew: index === 0 });
      } finally {
        closeDescriptor(from);
      }
    }
  } finally {
    closeDescriptor(root);
  }
}

class LayerMerge {
  readonly #root: number;
  /** First name of each file of the layer that has several, by inode. */
  readonly #named = new Map<bigint, string>();

  constructor(root: number) {
    this.#root = root;
  }

  addDirectory(from: number, to: Place): void {
    for (const name of listNames(from)) {
      const found = findNode(from, name);
      if (found === undefined) continue;
      if (found.kind === 'directory') this.#enter(from, name, to);
      else this.#addFile(from, { name, found }, to);
    }
    // Last, since what was made in it changed its time.
    copyDirectoryFacts(from, to.descriptor);
  }

  #enter(parent: number, name: string, to: Place): void {
    const from = openDirectoryForAttributes(parent, name);
    try {
      const hasLower = !to.isNew && findNode(to.descriptor, name)?.kind === 'directory';
      const isKept = hasLower && !isOpaque(from);
      if (!to.isNew && !isKept) removeNode(to.descriptor, name);
      if (!isKept) makeDirectory(to.descriptor, name, 0o700);
      const descriptor = openOrMakeDirectory(to.descriptor, name);
      try {
        this.addDirectory(from, { descriptor, path: `${to.path}${name}/`, isNew: !isKept });
      } finally {
        closeDescriptor(descriptor);
      }
    } finally {
      closeDescriptor(from);
    }
  }

  #addFile(from: number, { name, found }: { readonly name: string; readonly found: FoundNode }, to: Place): void {
    if (!to.isNew) removeNode(to.descriptor, name);
    if (found.kind === 'whiteout' || found.kind === 'other') return;
    const first = this.#named.get(found.stat.ino);
    if (first !== undefined) {
      makeHardlink({ parent: this.#root, name: first }, to.descriptor, name);
      return;
    }
    copyNode(from, name, found, { parent: to.descriptor, name });
    if (found.stat.nlink > 1n) this.#named.set(found.stat.ino, `${to.path}${name}`);
  }
}

/** A path of ours as raw bytes. */
function latin1(directory: string): string {
  return Buffer.from(directory).toString('latin1');
}

/** How a thread tells of an error. */
export interface MergeFailure {
  readonly message: string;
  readonly code: string | undefined;
}

export function failureOf(error: unknown): MergeFailure {
  return { message: error instanceof Error ? error.message : String(error), code: error instanceof SyscallError ? error.code : undefined };
}
