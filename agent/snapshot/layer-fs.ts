import { statSync } from 'node:fs';
import { mkdir, open, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { parseDigest } from '#model/digest.ts';
import type { Digest } from '#model/digest.ts';
import { syncFileSystem } from '../kernel/file-syscall.ts';
import { mendLayer } from './layer-mend-fs.ts';
import type { LayerSummary } from './ports.ts';
import { Trash } from './trash-fs.ts';

/** What is remembered of an unpacked layer. */
export interface LayerRecord extends LayerSummary {
  readonly diffId: Digest;
  /** `registry/repository@digest` of the blobs that were found to unpack to it. */
  readonly origins?: readonly string[];
}

/** Source: proc(5), /proc/sys/kernel/random/boot_id. */
const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';

/** Of a sha256 or a sha512 digest. */
const LAYER_NAME = /^(?:[0-9a-f]{64}|[0-9a-f]{128})$/;

/** The name of a layer in the store: the hex part of its diff_id. Layers know nothing of each other. */
export function layerName(diffId: Digest): string {
  return diffId.slice(diffId.indexOf(':') + 1);
}

/**
 * Unpacked layers, each a directory named by its diff_id, and the staging directory where extractors make them.
 *
 * 1. A layer that `find` knows is whole: it came by rename after both digests matched. 2. Layers are durable only after `sync`; after a boot
 * of the machine `open` removes those that no image vouches for. 3. `open` removes what is staged or discarded: nobody else may be at work.
 */
export class LayerStore {
  readonly layersPath: string;
  readonly stagingPath: string;
  readonly #statePath: string;
  readonly #recordsPath: string;
  readonly #bootPath: string;
  readonly #trash: Trash;

  /** @param prefix  of temporary names, unique to this process */
  constructor(statePath: string, prefix: string) {
    this.#statePath = statePath;
    this.layersPath = path.join(statePath, 'layers');
    this.stagingPath = path.join(statePath, 'staging');
    this.#recordsPath = path.join(statePath, 'layer-records');
    this.#bootPath = path.join(statePath, 'boot-id');
    this.#trash = new Trash(path.join(statePath, 'trash'), prefix);
  }

  /** Makes the directories and clears what an earlier process left. `vouched` are layers of complete images. */
  async open(vouched: ReadonlySet<string>): Promise<void> {
    await mkdir(this.#statePath, { recursive: true, mode: 0o711 });
    for (const directory of [this.layersPath, this.stagingPath, this.#recordsPath]) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    }
    await this.#trash.empty();
    for (const name of await readdir(this.stagingPath)) {
      await this.#trash.discard(path.join(this.stagingPath, name));
    }
    const bootId = await readFile(BOOT_ID_FILE, 'utf8');
    if (bootId !== await readFile(this.#bootPath, 'utf8').catch(() => '')) {
      for (const name of await this.list()) {
        if (!vouched.has(name)) await this.remove(name);
      }
      await writeFile(this.#bootPath, bootId);
    }
  }

  /** One look at a directory entry: each start of a container asks for each of its layers. */
  has(name: string): boolean {
    return statSync(path.join(this.layersPath, name), { throwIfNoEntry: false })?.isDirectory() ?? false;
  }

  /** Undefined also where the record alone is missing: a commit of the same layer makes it whole. */
  async find(name: string): Promise<LayerRecord | undefined> {
    if (!this.has(name)) {
      return undefined;
    }
    try {
      return JSON.parse(await readFile(this.#recordPath(name), 'utf8')) as LayerRecord;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Moves the staged layer `id` into the store; when the layer is there already, the staged one goes. */
  async commit(id: string, record: LayerRecord): Promise<void> {
    const name = layerName(record.diffId);
    await this.note(id, record);
    try {
      await rename(path.join(this.stagingPath, id, 'tree'), path.join(this.layersPath, name));
    } catch (error) {
      // Source: rename(2): a directory that is not empty is not replaced; the same diff_id means the same contents.
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    await this.discardStaged(id);
  }

  /**
   * Puts into the store what `record`'s layer means above the layers `lower` (lowest first) beyond what it holds, staged as `id`; its name,
   * or undefined when it means nothing more.
   *
   * @throws ClusterError FAILED_PRECONDITION for a hardlink whose target no layer has
   */
  async mend(id: string, lower: readonly string[], record: LayerRecord): Promise<string | undefined> {
    if (record.impliedDirectories === undefined && record.linksBelow === undefined && record.whiteoutDirectories === undefined) {
      return undefined;
    }
    const diffId = parseDigest(`sha256:${createHash('sha256').update(JSON.stringify(['mend', ...lower, record.diffId])).digest('hex')}`);
    if (await this.find(layerName(diffId)) !== undefined) {
      return layerName(diffId);
    }
    const tree = path.join(this.stagingPath, id, 'tree');
    await mkdir(tree, { recursive: true });
    const at = (name: string): string => path.join(this.layersPath, name);
    try {
      if (!mendLayer({ lower: lower.map(at), layer: at(layerName(record.diffId)), summary: record, tree })) return undefined;
      await this.commit(id, { diffId, entries: 0, fileBytes: 0, skippedDevices: 0, hidesLower: false });
      return layerName(diffId);
    } finally {
      await this.discardStaged(id);
    }
  }

  /** Replaces what is remembered of a layer. */
  async note(id: string, record: LayerRecord): Promise<void> {
    const target = this.#recordPath(layerName(record.diffId));
    const temporary = `${target}.${id}`;
    await writeFile(temporary, JSON.stringify(record));
    await rename(temporary, target);
  }

  async discardStaged(id: string): Promise<void> {
    await this.#trash.discard(path.join(this.stagingPath, id));
  }

  async remove(name: string): Promise<void> {
    await this.#trash.discard(path.join(this.layersPath, name));
    await rm(this.#recordPath(name), { force: true });
  }

  /** Other names in the directory are a snapshot driver's own. */
  async list(): Promise<readonly string[]> {
    return (await readdir(this.layersPath)).filter(name => LAYER_NAME.test(name));
  }

  /** Makes all layers durable. */
  async sync(): Promise<void> {
    const directory = await open(this.layersPath, 'r');
    try {
      await syncFileSystem(directory.fd);
    } finally {
      await directory.close();
    }
  }

  /** Resolves when all that was removed is deleted. */
  async settled(): Promise<void> {
    await this.#trash.settled();
  }

  #recordPath(name: string): string {
    return path.join(this.#recordsPath, `${name}.json`);
  }
}
