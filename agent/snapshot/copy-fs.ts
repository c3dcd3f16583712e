import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { UndoStack } from '#kit/undo-stack.ts';
import { makeClosedDirectory } from '../closed-directory-fs.ts';
import { bytesOnDisk, holdsFiles } from './disk-usage-fs.ts';
import { mergeInThread } from './merge-client.ts';
import { requireKey } from './overlay-mounts.ts';
import type { SnapshotterOptions } from './overlay-fs.ts';
import type { IdMapping, RootfsSnapshotter } from './ports.ts';
import { attachIdmapped, checkRuntimeDirectories, isMountPoint, rootfsFlags, unmountAll } from './rootfs-mount-fs.ts';
import { Trash, deleteTrees } from './trash-fs.ts';

/** How a driver makes and deletes trees. */
export interface TreeStore {
  readonly driver: 'btrfs' | 'vfs';
  /** Makes an empty tree. */
  create(tree: string): Promise<void>;
  /** Makes `tree` the same as `base`, without copying. Absent: the driver cannot, and each container gets a copy of the layers. */
  readonly snapshot?: (base: string, tree: string) => Promise<void>;
  /** Lets at most `bytes` be written into the tree; false where that cannot be counted. Absent: the driver has no such thing. */
  readonly limit?: (tree: string, bytes: number | undefined) => boolean;
  /** Deletes a tree; absent is fine. */
  delete(tree: string): Promise<void>;
}

const UNFINISHED = '.new-';

interface Directories {
  readonly top: string;
  readonly tree: string;
  readonly rootfs: string;
  /** An empty file made when the tree was ready: what changed later was the container. */
  readonly ready: string;
}

/**
 * Root file systems as trees of their own, out of the layers by copying, shown with the container's ids by an idmapped mount. Where the driver has
 * snapshots, one tree for each list of layers is kept, a *base*, and containers get snapshots of it. A base goes when a layer of it went.
 */
export class CopySnapshotter implements RootfsSnapshotter {
  readonly driver: TreeStore['driver'];
  readonly #options: SnapshotterOptions;
  readonly #trees: TreeStore;
  readonly #snapshotsPath: string;
  readonly #basesPath: string;
  readonly #trash: Trash;
  readonly #building = new Map<string, Promise<string>>();
  #bases = 0;
  #opened: Promise<void> | undefined;

  constructor(options: SnapshotterOptions, trees: TreeStore) {
    this.driver = trees.driver;
    this.#options = options;
    this.#trees = trees;
    this.#snapshotsPath = path.join(options.statePath, 'snapshots');
    this.#basesPath = path.join(options.statePath, 'snapshot-bases');
    this.#trash = new Trash(path.join(options.statePath, 'snapshots-trash'), options.prefix, async directories => {
      const deleted = await Promise.allSettled(directories.map(async directory => { await trees.delete(path.join(directory, 'tree')); }));
      await deleteTrees(directories.filter((_, index) => deleted[index]?.status === 'fulfilled'));
      const failed = deleted.find(one => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    });
  }

  async prepare(key: string, layers: readonly string[], mapping: IdMapping, signal: AbortSignal): Promise<{ readonly rootfsPath: string }> {
    const directories = this.#directories(key);
    await this.#open();
    signal.throwIfAborted();
    await this.remove(key);
    await using undo = new UndoStack();
    undo.push(`snapshot ${key}`, () => this.remove(key));
    await makeClosedDirectory(directories.top, mapping.hostBase);
    await mkdir(directories.rootfs);
    await this.#makeTree(directories.tree, layers, signal);
    await checkRuntimeDirectories(directories.tree, 0);
    await writeFile(directories.ready, '');
    attachIdmapped(directories.tree, directories.rootfs, mapping, rootfsFlags(mapping));
    undo.keep();
    return { rootfsPath: directories.rootfs };
  }

  async remove(key: string): Promise<void> {
    const directories = this.#directories(key);
    await this.#open();
    await unmountAll(directories.rootfs);
    await this.#trash.discard(directories.top);
    await this.#dropBases();
  }

  async list(): Promise<readonly string[]> {
    await this.#open();
    return (await readdir(this.#snapshotsPath)).sort();
  }

  async isMounted(key: string): Promise<boolean> {
    return await isMountPoint(this.#directories(key).rootfs);
  }

  async writableBytes(key: string): Promise<number> {
    const { tree, ready } = this.#directories(key);
    const marker = await stat(ready, { bigint: true }).catch(() => undefined);
    return marker === undefined ? 0 : await bytesOnDisk(tree, marker.ctimeNs);
  }

  /** Those of the image among them. */
  async holdsFiles(key: string, count: number): Promise<boolean> {
    return await holdsFiles(this.#directories(key).tree, count);
  }

  async limit(key: string, bytes: number | undefined): Promise<boolean> {
    const { tree } = this.#directories(key);
    return this.#trees.limit !== undefined && await exists(tree) && this.#trees.limit(tree, bytes);
  }

  /** Resolves when all that was removed is deleted. */
  async settled(): Promise<void> {
    await this.#trash.settled();
  }

  async #makeTree(tree: string, layers: readonly string[], signal: AbortSignal): Promise<void> {
    if (this.#trees.snapshot === undefined) {
      await this.#trees.create(tree);
      await mergeInThread({ layers: this.#layerPaths(layers), target: tree }, signal);
      return;
    }
    const base = await this.#ensureBase(layers);
    signal.throwIfAborted();
    await this.#trees.snapshot(path.join(base, 'tree'), tree);
  }

  /** Those who want the same base wait for the same work, which no single one of them ends. */
  async #ensureBase(layers: readonly string[]): Promise<string> {
    const name = createHash('sha256').update(JSON.stringify(layers)).digest('hex');
    const building = this.#building.get(name) ?? this.#buildBase(name, layers).finally(() => { this.#building.delete(name); });
    this.#building.set(name, building);
    return await building;
  }

  async #buildBase(name: string, layers: readonly string[]): Promise<string> {
    const base = path.join(this.#basesPath, name);
    if (await exists(base)) return base;
    this.#bases += 1;
    const unfinished = path.join(this.#basesPath, `${UNFINISHED}${this.#options.prefix}-${String(this.#bases)}`);
    await using undo = new UndoStack();
    undo.push(`base ${name}`, () => this.#trash.discard(unfinished));
    await mkdir(unfinished, { mode: 0o700 });
    await this.#trees.create(path.join(unfinished, 'tree'));
    await mergeInThread({ layers: this.#layerPaths(layers), target: path.join(unfinished, 'tree') }, NEVER);
    await writeFile(path.join(unfinished, 'layers.json'), JSON.stringify(layers));
    await rename(unfinished, base);
    undo.keep();
    return base;
  }

  /** Bases of which a layer has gone from the store. */
  async #dropBases(): Promise<void> {
    if (this.#trees.snapshot === undefined) return;
    const layers = new Set(await readdir(this.#options.layersPath));
    for (const name of await readdir(this.#basesPath)) {
      if (name.startsWith(UNFINISHED)) continue;
      const base = path.join(this.#basesPath, name);
      const needs = await readList(path.join(base, 'layers.json'));
      if (needs?.every(layer => layers.has(layer)) !== true) await this.#trash.discard(base);
    }
  }

  async #open(): Promise<void> {
    this.#opened ??= this.#recover();
    try {
      await this.#opened;
    } catch (error) {
      this.#opened = undefined;
      throw error;
    }
  }

  async #recover(): Promise<void> {
    await mkdir(this.#snapshotsPath, { recursive: true, mode: 0o711 });
    await mkdir(this.#basesPath, { recursive: true, mode: 0o700 });
    await this.#trash.empty();
    for (const name of await readdir(this.#basesPath)) {
      if (name.startsWith(UNFINISHED)) await this.#trash.discard(path.join(this.#basesPath, name));
    }
  }

  #layerPaths(layers: readonly string[]): readonly string[] {
    return layers.map(layer => path.join(this.#options.layersPath, layer));
  }

  #directories(key: string): Directories {
    const top = path.join(this.#snapshotsPath, requireKey(key));
    return { top, tree: path.join(top, 'tree'), rootfs: path.join(top, 'rootfs'), ready: path.join(top, 'ready') };
  }
}

const NEVER = new AbortController().signal;

/** Undefined when a crash of the machine left it unreadable. */
async function readList(file: string): Promise<readonly string[] | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as readonly string[];
  } catch {
    return undefined;
  }
}

async function exists(directory: string): Promise<boolean> {
  return await stat(directory).then(() => true, () => false);
}
