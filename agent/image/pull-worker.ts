/** The pull thread: registry, digests and extractors, off the agent's main thread. Started by pull-client.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '#kit/clock.ts';
import { ClusterError } from '#model/errors.ts';
import { parseImageReference } from '#model/image-reference.ts';
import { RegistryClient } from '#registry/registry-client.ts';
import type { RegistryImage } from '#registry/registry-client.ts';
import { PartialStore } from '../content/partial-fs.ts';
import { onDisk } from '../disk-fs.ts';
import { isDiskPressure } from '../disk-pressure.ts';
import { ExtractorPool } from '../snapshot/extract-process.ts';
import { LayerStore } from '../snapshot/layer-fs.ts';
import type { LayerRecord } from '../snapshot/layer-fs.ts';
import { ImageRecords } from './image-record-fs.ts';
import type { PullProgress } from './ports.ts';
import { pullImage } from './pull-flow.ts';
import type { PullPorts } from './pull-flow.ts';
import type { PullCommand, PullCredentials, PullReport, PullWorkerSettings } from './pull-client.ts';
import { SharedWork } from './shared-work-flow.ts';

const PROGRESS_INTERVAL_MS = 200;

if (parentPort === null) {
  throw new Error('pull-worker runs as a thread');
}
const port = parentPort;
const settings = workerData as PullWorkerSettings;
/** One client a login, so that nobody rides on another's token. */
const clients = new Map<string, RegistryClient>();
const records = new ImageRecords(settings.statePath);
const stops = new Map<number, AbortController>();
/** Of the pulls at work: told what their client tried again, by the client's key. */
const retryListeners = new Map<number, { readonly client: string; readonly registry: string; readonly tell: (what: string) => void }>();
let ids = 0;

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
  try {
    const image = { ...requireImage(command.image), digest };
    const progress = throttled(id);
    retryListeners.set(id, { client: clientKey(command.login), registry: image.registry, tell: progress.retried });
    const record = await pullImage({ ...ports, registry: clientFor(command.login) }, image, progress.moved, stop.signal);
    await onDisk(settings.statePath, async () => { await records.save({ ...record, ...await grantsOf(command) }); });
    report({ kind: 'done', id, image: record });
  } catch (error) {
    const { code, message } = error instanceof ClusterError ? error : new ClusterError('INTERNAL', error instanceof Error ? error.message : String(error));
    report({ kind: 'failed', id, code, message, ...(isDiskPressure(error) ? { isDiskFull: true } : {}) });
  } finally {
    stops.delete(id);
    retryListeners.delete(id);
  }
}

/** A pull without login shows that the image is for all. */
async function grantsOf({ digest, login }: PullCommand & { kind: 'pull' }): Promise<{ readonly grants?: readonly string[] }> {
  if (login === undefined) {
    return {};
  }
  const known = await records.find(digest);
  return known !== undefined && known.grants === undefined ? {} : { grants: [...new Set([...known?.grants ?? [], login.namespace])] };
}

function clientFor(login: PullCredentials | undefined): RegistryClient {
  const key = clientKey(login);
  const client = clients.get(key) ?? new RegistryClient({
    ...(settings.caPem === undefined ? {} : { caPem: settings.caPem }),
    plainRegistries: new Set(settings.plainRegistries),
    credentials: () => Promise.resolve(login),
    clock: systemClock,
    random: () => Math.random(),
    onRetry: what => {
      [...retryListeners.values()].filter(one => one.client === key && what.startsWith(`${one.registry}: `)).forEach(one => { one.tell(what); });
    },
    ...(settings.stallMs === undefined ? {} : { stallTimeoutMs: settings.stallMs }),
  });
  clients.set(key, client);
  return client;
}

function clientKey(login: PullCredentials | undefined): string {
  return JSON.stringify([login?.username, login?.password]);
}

/** Passes on a layer's end and a retry at once, bytes now and then. */
function throttled(id: number): { readonly moved: (progress: PullProgress) => void; readonly retried: (what: string) => void } {
  let lastMs = 0;
  let newest: PullProgress = { layersDone: -1, layersTotal: 0, bytesDone: 0, bytesTotal: 0 };
  const moved = (progress: PullProgress): void => {
    const nowMs = systemClock.monotonicMs();
    if (progress.layersDone === newest.layersDone && nowMs - lastMs < PROGRESS_INTERVAL_MS) return;
    lastMs = nowMs;
    newest = progress;
    report({ kind: 'progress', id, progress });
  };
  return { moved, retried: what => { report({ kind: 'progress', id, progress: { ...newest, layersDone: Math.max(0, newest.layersDone), retried: what } }); } };
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
