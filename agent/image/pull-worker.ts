/**
 * Runs the pull thread: registry, digests and extractors, outside of the main thread.
 * pull-client.ts starts it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '#kit/clock.ts';
import { ClusterError } from '#model/errors.ts';
import { formatImageName, parseImageReference } from '#model/image-reference.ts';
import type { LayerProgress } from '#model/node-images.ts';
import { RegistryClient } from '#registry/registry-client.ts';
import type { RegistryImage } from '#registry/registry-client.ts';
import { PartialStore } from '../content/partial-fs.ts';
import { onDisk } from '../disk-fs.ts';
import { isDiskPressure } from '../disk-pressure.ts';
import { ExtractorPool } from '../snapshot/extract-process.ts';
import { LayerStore } from '../snapshot/layer-fs.ts';
import type { LayerRecord } from '../snapshot/layer-fs.ts';
import { ImageRecords } from './image-record-fs.ts';
import { pullImage } from './pull-flow.ts';
import type { PullPorts } from './pull-flow.ts';
import type { PullCommand, PullReport, PullWorkerSettings } from './pull-client.ts';
import { SharedWork } from './shared-work-flow.ts';

const PROGRESS_INTERVAL_MS = 200;

if (parentPort === null) {
  throw new Error('pull-worker runs as a thread');
}
const port = parentPort;
const settings = workerData as PullWorkerSettings;
const records = new ImageRecords(settings.statePath);
const stops = new Map<number, AbortController>();
let ids = 0;

const registry = new RegistryClient({
  ...settings.registries,
  ...(settings.caPem === undefined ? {} : { caPem: settings.caPem }),
  credentials: () => Promise.resolve(undefined),
  clock: systemClock,
  random: () => Math.random(),
  ...(settings.stallMs === undefined ? {} : { stallTimeoutMs: settings.stallMs }),
});

const ports: Omit<PullPorts, 'registry'> = {
  partials: new PartialStore(settings.statePath),
  layers: new LayerStore(settings.statePath, settings.prefix),
  extractors: new ExtractorPool({
    stagingPath: new LayerStore(settings.statePath, settings.prefix).stagingPath, size: settings.concurrency, idleMs: settings.idleMs,
  }),
  fetching: new SharedWork<LayerRecord>(),
  platform: settings.platform,
  nextId: () => `${settings.prefix}-${String(ids += 1)}`,
};

function report(message: PullReport): void {
  port.postMessage(message);
}

async function pull(command: PullCommand & { kind: 'pull' }): Promise<void> {
  const { id, digest } = command;
  const stop = new AbortController();
  stops.set(id, stop);
  const teller = new Teller(id);
  try {
    const image = { ...requireImage(command.image), digest };
    const client = registry.withLogin(command.login, what => { teller.retried(what); });
    const record = await pullImage({ ...ports, registry: client }, image, layers => { teller.layers(layers); }, stop.signal);
    await onDisk(settings.statePath, async () => {
      const known = await records.find(digest);
      await records.save({ ...record, names: known?.names ?? [], pulledAtMs: systemClock.nowMs(), ...await grantsOf(command) });
      await records.rename(digest, formatImageName(image));
    });
    report({ kind: 'done', id, image: record });
  } catch (error) {
    const { code, message } = error instanceof ClusterError ? error : new ClusterError('INTERNAL', error instanceof Error ? error.message : String(error));
    report({ kind: 'failed', id, code, message, ...(isDiskPressure(error) ? { isDiskFull: true } : {}) });
  } finally {
    stops.delete(id);
  }
}

/** A pull without a login proves that the image is public. */
async function grantsOf({ digest, login }: PullCommand & { kind: 'pull' }): Promise<{ readonly grants?: readonly string[] }> {
  if (login === undefined) {
    return {};
  }
  const known = await records.find(digest);
  return known !== undefined && known.grants === undefined ? {} : { grants: [...new Set([...known?.grants ?? [], login.namespace])] };
}

/** Forwards retries and the end of a layer at once, bytes at intervals. */
class Teller {
  readonly #id: number;
  #layers: readonly LayerProgress[] = [];
  #complete = -1;
  #retries = 0;
  #lastRetry = '';
  #lastMs = 0;

  constructor(id: number) {
    this.#id = id;
  }

  retried(what: string): void {
    this.#retries += 1;
    this.#lastRetry = what;
    this.#tell();
  }

  layers(layers: readonly LayerProgress[]): void {
    this.#layers = layers;
    const complete = layers.filter(layer => layer.isComplete).length;
    if (complete === this.#complete && systemClock.monotonicMs() - this.#lastMs < PROGRESS_INTERVAL_MS) return;
    this.#complete = complete;
    this.#tell();
  }

  #tell(): void {
    this.#lastMs = systemClock.monotonicMs();
    report({ kind: 'progress', id: this.#id, progress: { layers: this.#layers, retries: this.#retries, lastRetry: this.#lastRetry } });
  }
}

function requireImage(text: string): RegistryImage {
  const parsed = parseImageReference(text);
  if (!('value' in parsed) || parsed.value.registry === undefined) {
    throw new ClusterError('INVALID_ARGUMENT', `image reference ${text} names no registry`);
  }
  return { ...parsed.value, registry: parsed.value.registry };
}

port.on('message', (command: PullCommand) => {
  if (command.kind === 'pull') void pull(command);
  else stops.get(command.id)?.abort(new ClusterError('UNAVAILABLE', 'the pull was given up'));
});
