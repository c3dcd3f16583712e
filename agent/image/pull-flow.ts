import { createHash } from 'node:crypto';
import type { LayerProgress } from '#model/node-images.ts';
import type { BlobDescriptor, FetchedManifest, RegistryImage } from '#registry/registry-client.ts';
import type { Digest } from '#model/digest.ts';
import { ClusterError, isClusterError } from '#model/errors.ts';
import type { PartialStore } from '../content/partial-fs.ts';
import { describeDisk } from '../disk-fs.ts';
import { DiskPressureError, diskAnswer, isDiskPressure } from '../disk-pressure.ts';
import { EXTRACT_LIMITS } from '../snapshot/extract-messages.ts';
import type { ExtractJob } from '../snapshot/extract-messages.ts';
import { layerName } from '../snapshot/layer-fs.ts';
import type { LayerRecord, LayerStore } from '../snapshot/layer-fs.ts';
import type { LayerSummary } from '../snapshot/ports.ts';
import type { ImageRecord } from './image-record-fs.ts';
import { imageTooLarge } from './image-bounds.ts';
import { parseConfig, parseManifest } from './manifest.ts';
import type { LayerDescriptor, Manifest } from './manifest.ts';
import { neededProof, originOf, partialName } from './layer-proof.ts';
import type { BlobPlace } from './layer-proof.ts';
import { LayerCounter } from './layer-counter.ts';
import { choosePlatform } from './platform.ts';
import type { Platform } from './platform.ts';
import type { SharedWork } from './shared-work-flow.ts';

/** Operations of the registry client that a pull needs. */
export interface BlobSource {
  fetchManifest(image: RegistryImage, signal: AbortSignal): Promise<FetchedManifest>;
  fetchBlob(image: RegistryImage, descriptor: BlobDescriptor, signal: AbortSignal): Promise<Buffer>;
  hasBlob(image: RegistryImage, digest: Digest, signal: AbortSignal): Promise<boolean>;
  openBlob(image: RegistryImage, descriptor: BlobDescriptor, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

export interface PullPorts {
  readonly registry: BlobSource;
  readonly partials: PartialStore;
  readonly layers: LayerStore;
  readonly extractors: { extract(job: ExtractJob, source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<LayerSummary> };
  /** Layers in progress, so that pulls of several images share them. */
  readonly fetching: SharedWork<LayerRecord>;
  readonly platform: Platform;
  /** Returns a new name of a staging directory. */
  readonly nextId: () => string;
}

/** One layer of the image: its source and its digests. */
interface WantedLayer {
  readonly index: number;
  readonly descriptor: LayerDescriptor;
  readonly diffId: Digest;
}

/** Source: README.md, "Limits": an index may name an index, three levels deep */
const MAX_INDEX_DEPTH = 3;
const MAX_ORIGINS = 32;

/**
 * Completes the image `image` (pinned by digest) in the layer store and returns its record, which
 * the caller saves.
 * Layers are fetched in parallel, largest first, as one stream each: registry -> digest -> inflate
 * -> diff_id -> files. The first failure stops the others.
 * @throws ClusterError as in ports.ts
 */
export async function pullImage(ports: PullPorts, image: RegistryImage & { readonly digest: Digest }, onProgress: (layers: readonly LayerProgress[]) => void, signal: AbortSignal): Promise<ImageRecord> {
  const manifest = await fetchImageManifest(ports, image, signal);
  const configBytes = await ports.registry.fetchBlob(image, manifest.config, signal);
  const { config, diffIds } = parseConfig(configBytes, manifest.layers.length, ports.platform);
  const wanted = manifest.layers.map((descriptor, index) => ({ index, descriptor, diffId: requireAt(diffIds, index) }));
  const records = await fetchLayers(ports, image, { wanted, onProgress }, signal);
  const stack = await stackLayers(ports, records);
  await ports.layers.sync();
  return {
    version: 1, digest: image.digest, config, layers: stack, allLayers: [...new Set([...diffIds.map(layerName), ...stack])],
    sizeBytes: records.reduce((sum, record) => sum + record.fileBytes, 0),
    blobs: manifest.layers.map(({ digest, sizeBytes, mediaType }) => ({ digest, sizeBytes, mediaType })),
  };
}

/** Returns the names of the visible layers, lowest first, each followed by its fix-up layer. */
async function stackLayers(ports: PullPorts, records: readonly LayerRecord[]): Promise<readonly string[]> {
  // Nothing below an opaque layer is visible. overlayfs would show it, because it ignores the mark at the root of a layer.
  const firstVisible = Math.max(0, records.findLastIndex(record => record.hidesLower));
  const stack: string[] = [];
  for (const [index, record] of records.entries()) {
    if (index < firstVisible) continue;
    try {
      const mend = await ports.layers.mend(ports.nextId(), once(stack), record);
      stack.push(layerName(record.diffId), ...mend === undefined ? [] : [mend]);
    } catch (error) {
      throw error instanceof ClusterError ? new ClusterError(error.code, `layer ${String(index)}: ${error.message}`, { cause: error }) : error;
    }
  }
  return once(stack);
}

/** overlayfs refuses the same directory twice; the upper one hides the lower one. */
function once(names: readonly string[]): readonly string[] {
  return names.filter((name, index) => names.lastIndexOf(name) === index);
}

async function fetchImageManifest(ports: PullPorts, image: RegistryImage, signal: AbortSignal): Promise<Manifest & { kind: 'image' }> {
  let current = image;
  for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth += 1) {
    const fetched = await ports.registry.fetchManifest(current, signal);
    const manifest = parseManifest(fetched.bytes, fetched.contentType);
    if (manifest.kind === 'image') {
      return manifest;
    }
    current = { ...image, digest: choosePlatform(manifest.entries, ports.platform).digest };
  }
  throw new ClusterError('FAILED_PRECONDITION', `image index nested more than ${String(MAX_INDEX_DEPTH)} deep`);
}

/** Fetches all layers; returns them in the order of the image. */
async function fetchLayers(ports: PullPorts, image: RegistryImage, { wanted, onProgress }: { readonly wanted: readonly WantedLayer[]; readonly onProgress: (layers: readonly LayerProgress[]) => void }, signal: AbortSignal): Promise<readonly LayerRecord[]> {
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  const counter = new LayerCounter(wanted.map(layer => layer.descriptor), onProgress);
  const records = new Map<number, LayerRecord>();
  const largestFirst = [...wanted].sort((a, b) => b.descriptor.sizeBytes - a.descriptor.sizeBytes || a.index - b.index);
  const outcomes = await Promise.allSettled(largestFirst.map(async layer => {
    try {
      const key = `${image.registry}/${image.repository} ${layer.descriptor.digest} ${layer.diffId}`;
      records.set(layer.index, await ports.fetching.run(key, work => ensureLayer(ports, image, { layer, counter }, work), both));
      counter.complete(layer.index);
      const tooLarge = imageTooLarge([...records.values()]);
      if (tooLarge !== undefined) throw new ClusterError('FAILED_PRECONDITION', tooLarge);
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  }));
  signal.throwIfAborted();
  if (outcomes.some(outcome => outcome.status === 'rejected')) {
    throw failed.signal.reason;
  }
  return wanted.map(layer => requireAt([records.get(layer.index)], 0));
}

async function ensureLayer(ports: PullPorts, image: RegistryImage, { layer, counter }: { readonly layer: WantedLayer; readonly counter: LayerCounter }, signal: AbortSignal): Promise<LayerRecord> {
  const { descriptor, diffId } = layer;
  const id = ports.nextId();
  const known = await ports.layers.find(layerName(diffId));
  if (known !== undefined && await mayUse(ports, image, { descriptor, known, id }, signal)) {
    return known;
  }
  const stop = new AbortController();
  const job: ExtractJob = { id, compression: descriptor.compression, diffId, limits: EXTRACT_LIMITS };
  try {
    const source = readVerified(ports, image, { layer, counter }, AbortSignal.any([signal, stop.signal]));
    const summary = await ports.extractors.extract(job, source, signal);
    const record = { ...summary, diffId, origins: withOrigin(known?.origins, originOf(placeOf(image, descriptor))) };
    await ports.layers.commit(id, record);
    await ports.partials.remove(partialName(placeOf(image, descriptor)));
    return record;
  } catch (error) {
    stop.abort();
    const explained = await explain(error, layer, ports.layers.stagingPath);
    await ports.layers.discardStaged(id);
    if (isDiskPressure(explained)) await ports.layers.settled();
    signal.throwIfAborted();
    throw await settleFailure(ports, explained, partialName(placeOf(image, descriptor)));
  }
}

/**
 * Returns whether a layer on disk may be used without fetching its blob: the blob was unpacked to
 * it before, and the registry that sent it confirms that the repository of the image, which
 * accepted us, has it.
 */
async function mayUse(ports: PullPorts, image: RegistryImage, { descriptor, known, id }: { readonly descriptor: LayerDescriptor; readonly known: LayerRecord; readonly id: string }, signal: AbortSignal): Promise<boolean> {
  const place = placeOf(image, descriptor);
  const origins = known.origins ?? [];
  const proof = neededProof(origins, place);
  if (proof === 'none') {
    return true;
  }
  if (proof === 'fetch' || !await ports.registry.hasBlob(image, descriptor.digest, signal)) {
    return false;
  }
  await ports.layers.note(id, { ...known, origins: withOrigin(origins, originOf(place)) });
  return true;
}

function placeOf({ registry, repository }: RegistryImage, { digest }: LayerDescriptor): BlobPlace {
  return { registry, repository, digest };
}

/** Keeps the newest origins; a dropped one costs one request to its registry. */
function withOrigin(origins: readonly string[] = [], origin: string): readonly string[] {
  return [...origins.filter(one => one !== origin), origin].slice(-MAX_ORIGINS);
}

/**
 * Yields the blob: first the partial of an earlier attempt, then the rest. Ends only if its digest
 * matched.
 */
async function *readVerified(ports: PullPorts, image: RegistryImage, { layer, counter }: { readonly layer: WantedLayer; readonly counter: LayerCounter }, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const { descriptor, index } = layer;
  const hash = createHash(descriptor.digest.startsWith('sha512:') ? 'sha512' : 'sha256');
  const partial = await ports.partials.open(partialName(placeOf(image, descriptor)));
  try {
    let from = 0;
    for await (const piece of partial?.replay(descriptor.sizeBytes) ?? []) {
      from += piece.length;
      hash.update(piece);
      counter.add(index, piece.length);
      yield piece;
    }
    for await (const piece of ports.registry.openBlob(image, descriptor, from, signal)) {
      await partial?.append(piece);
      hash.update(piece);
      counter.add(index, piece.length);
      yield piece;
    }
    const digest = `${descriptor.digest.slice(0, 6)}:${hash.digest('hex')}`;
    if (digest !== descriptor.digest) {
      throw new ClusterError('FAILED_PRECONDITION', `digest mismatch: got ${digest}, not ${descriptor.digest}`);
    }
  } finally {
    await partial?.close();
  }
}

/**
 * Keeps the partial of a blob without an error so far; removes all others, and removes it when the
 * disk is full.
 */
async function settleFailure(ports: PullPorts, error: unknown, partial: Digest): Promise<unknown> {
  if (!isClusterError(error, 'UNAVAILABLE') && !isClusterError(error, 'PERMISSION_DENIED')) {
    await ports.partials.remove(partial);
  }
  return error;
}

/**
 * Adds the layer to the error, and for a full disk its free space while the unpacked files still
 * exist.
 */
async function explain(error: unknown, { index, descriptor }: WantedLayer, stagingPath: string): Promise<unknown> {
  const where = `layer ${String(index)}`;
  const answer = error instanceof DiskPressureError ? error.message : diskAnswer(error);
  if (answer !== undefined) {
    const disk = await describeDisk(`${answer} while unpacking`, stagingPath);
    return new DiskPressureError(`${where}: ${disk}, the layer is ${String(descriptor.sizeBytes)} bytes compressed`, error);
  }
  if (error instanceof ClusterError) {
    return new ClusterError(error.code, `${where}: ${error.message}`, { cause: error });
  }
  return error;
}

function requireAt<T>(list: readonly (T | undefined)[], index: number): T {
  const value = list[index];
  if (value === undefined) throw new RangeError(`nothing at ${String(index)}`);
  return value;
}
