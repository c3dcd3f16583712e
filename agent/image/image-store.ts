import { systemClock } from '#kit/clock.ts';
import type { Digest } from '#model/digest.ts';
import type { RegistryLogin } from '#model/node-images.ts';
import type { RegistrySettings } from '#registry/registry-settings-parse.ts';
import { findUnreachable } from '../content/reachable.ts';
import { PartialStore } from '../content/partial-fs.ts';
import { diskAnswer } from '../disk-pressure.ts';
import { LayerStore } from '../snapshot/layer-fs.ts';
import { ImageRecords } from './image-record-fs.ts';
import type { ImageRecord } from './image-record-fs.ts';
import { isGranted } from './layer-proof.ts';
import type { Platform } from './platform.ts';
import type { ImageStore, ListedImages, LocalImage, PrunableImages, PullProgress, PullRequest, StoredImage } from './ports.ts';
import type { UsedImage } from './prune.ts';
import { PullClient } from './pull-client.ts';
import { SharedWork } from './shared-work-flow.ts';

export interface ImageStoreOptions {
  /** Directory of the images, created if absent. Only one process may use it. */
  readonly statePath: string;
  readonly platform: Platform;
  /** Number of layers that are unpacked at the same time: one per core. */
  readonly concurrency: number;
  /** Prefix of temporary names; differs at each start of the process. */
  readonly prefix: string;
  /** PEM text of an additional CA. */
  readonly caPem?: string;
  readonly registries: RegistrySettings;
  /** Finds the login for a request without one; undefined: anonymous. */
  readonly credentials: (request: PullRequest) => Promise<RegistryLogin | undefined>;
  /** Idle time after which the pull thread and the extractors exit. */
  readonly idleMs: number;
  /** Longest time without data within a blob; default: that of the registry client. */
  readonly stallMs?: number;
}

/** Precision of the last use of an image. */
const MARK_INTERVAL_MS = 60_000;

/** Implements ImageStore on a disk, with pulls in their own thread; ports.ts has the contract. */
export class DiskImageStore implements ImageStore, PrunableImages, ListedImages {
  readonly statePath: string;
  readonly #options: ImageStoreOptions;
  readonly #records: ImageRecords;
  readonly #layers: LayerStore;
  readonly #partials: PartialStore;
  readonly #client: PullClient;
  readonly #pulls = new SharedWork<LocalImage>();
  readonly #listeners = new Map<Digest, Set<(progress: PullProgress) => void>>();
  #opened: Promise<void> | undefined;
  #pruning: Promise<unknown> = Promise.resolve();
  /** Number of running `ensure` calls: their layers may have no record yet. */
  #ensuring = 0;
  #marking: Promise<void> = Promise.resolve();
  readonly #markedAtMs = new Map<Digest, number>();

  constructor(options: ImageStoreOptions) {
    this.#options = options;
    this.statePath = options.statePath;
    this.#records = new ImageRecords(options.statePath);
    this.#layers = new LayerStore(options.statePath, options.prefix);
    this.#partials = new PartialStore(options.statePath);
    const { statePath, platform, concurrency, idleMs, stallMs, caPem, registries } = options;
    this.#client = new PullClient({ statePath, platform, concurrency, idleMs, registries, ...(stallMs === undefined ? {} : { stallMs }), ...(caPem === undefined ? {} : { caPem }) }, options.prefix);
  }

  async ensure(request: PullRequest, onProgress: (progress: PullProgress) => void, signal: AbortSignal): Promise<LocalImage> {
    await this.#pruning;
    this.#ensuring += 1;
    try {
      return await this.#ensure(request, onProgress, signal);
    } finally {
      this.#ensuring -= 1;
    }
  }

  async #ensure(request: PullRequest, onProgress: (progress: PullProgress) => void, signal: AbortSignal): Promise<LocalImage> {
    const found = await this.#findRecord(request.digest);
    const namespace = request.namespace ?? '';
    if (found !== undefined && request.isChecked !== true && isGranted(found.grants, namespace)) {
      await this.#markUsed(found, request.image);
      return found;
    }
    if (found === undefined) await request.onAbsent?.();
    const listeners = this.#listeners.get(request.digest) ?? new Set();
    this.#listeners.set(request.digest, listeners.add(onProgress));
    try {
      return await this.#pulls.run(`${namespace} ${request.image} ${request.digest}`, work => this.#pull(request, work), signal);
    } finally {
      listeners.delete(onProgress);
      if (listeners.size === 0) this.#listeners.delete(request.digest);
    }
  }

  async find(digest: Digest, namespace?: string): Promise<LocalImage | undefined> {
    const record = await this.#findRecord(digest);
    return namespace === undefined || isGranted(record?.grants, namespace) ? record : undefined;
  }

  /** Returns the number of complete images on disk. */
  async count(): Promise<number> {
    return (await this.#records.list()).length;
  }

  async list(): Promise<readonly UsedImage[]> {
    return await Promise.all((await this.#records.list()).map(async ({ digest, sizeBytes }) => ({ digest, sizeBytes, usedAtMs: await this.#records.usedAtMs(digest) })));
  }

  async all(): Promise<readonly StoredImage[]> {
    await this.#open();
    return await Promise.all((await this.#records.list()).map(async record => ({
      ...record, names: record.names ?? [], blobs: record.blobs ?? [], pulledAtMs: record.pulledAtMs ?? 0, usedAtMs: await this.#records.usedAtMs(record.digest),
    })));
  }

  async markUsed(digests: ReadonlySet<Digest>): Promise<void> {
    for (const digest of digests) await this.#records.markUsed(digest, systemClock.nowMs());
  }

  async prune(keep: ReadonlySet<Digest>): Promise<{ readonly freedBytes: number }> {
    const pruned = this.#pruning.then(() => this.#prune(keep));
    this.#pruning = pruned.catch(() => undefined);
    return await pruned;
  }

  /** Stops the pull thread; running pulls fail. */
  async close(): Promise<void> {
    await this.#client.close();
    await this.#marking;
    await this.#layers.settled();
  }

  /** Never fails: a name that cannot be written to a full disk must not prevent a start. */
  async #markUsed(record: ImageRecord, name: string): Promise<void> {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - (this.#markedAtMs.get(record.digest) ?? -Infinity) >= MARK_INTERVAL_MS) {
      this.#markedAtMs.set(record.digest, nowMs);
      this.#marking = this.#records.markUsed(record.digest, systemClock.nowMs());
    }
    if (record.names?.includes(name) !== true) {
      await this.#records.rename(record.digest, name).catch((error: unknown) => { if (diskAnswer(error) === undefined) throw error; });
    }
  }

  async #findRecord(digest: Digest): Promise<ImageRecord | undefined> {
    await this.#open();
    const record = await this.#records.find(digest);
    if (record === undefined) {
      return undefined;
    }
    return record.allLayers.every(layer => this.#layers.has(layer)) ? record : undefined;
  }

  async #pull(request: PullRequest, signal: AbortSignal): Promise<LocalImage> {
    const given = request.login ?? await this.#options.credentials(request);
    const credentials = given === 'anonymous' ? undefined : given;
    const onProgress = (progress: PullProgress): void => { this.#listeners.get(request.digest)?.forEach(listener => { listener(progress); }); };
    return await this.#client.pull(request, { onProgress, ...(credentials === undefined ? {} : { login: { ...credentials, namespace: request.namespace ?? '' } }) }, signal);
  }

  /**
   * Removes only records during a pull, because its layers have no record yet; the next call
   * removes the rest.
   */
  async #prune(keep: ReadonlySet<Digest>): Promise<{ readonly freedBytes: number }> {
    await this.#open();
    const images = (await this.#records.list()).map(({ digest, allLayers }: ImageRecord) => ({ digest, layers: allLayers }));
    const dead = findUnreachable({ images, layers: await this.#layers.list(), keep });
    for (const digest of dead.images) await this.#records.remove(digest);
    if (this.#ensuring > 0) {
      return { freedBytes: 0 };
    }
    let freedBytes = 0;
    for (const layer of dead.layers) {
      freedBytes += (await this.#layers.find(layer))?.fileBytes ?? 0;
      await this.#layers.remove(layer);
    }
    await this.#partials.clear();
    await this.#layers.settled();
    return { freedBytes };
  }

  async #open(): Promise<void> {
    this.#opened ??= this.#records.list().then(images => this.#layers.open(new Set(images.flatMap(image => image.allLayers))));
    try {
      await this.#opened;
    } catch (error) {
      this.#opened = undefined;
      throw error;
    }
  }
}
