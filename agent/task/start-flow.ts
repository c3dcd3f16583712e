import { backoffMs } from '#kit/backoff.ts';
import { failpoint } from '#kit/failpoint.ts';
import type { AssignedContent } from '#model/assignment.ts';
import { DISK_PRESSURE, isDiskPressure } from '../disk-pressure.ts';
import type { LocalImage, PullRequest } from '../image/ports.ts';
import type { NetworkSlot } from '../network/ports.ts';
import { errorText, isPullRetried } from './attempt-end.ts';
import { etcFiles } from './etc-files.ts';
import { containerId } from './names.ts';
import type { TaskParts } from './ports.ts';
import type { TaskRecord } from './record.ts';

/** One attempt to be started. `record` is at `building`, with the attempt's number; nothing of it exists yet. */
export interface AttemptStart {
  readonly record: TaskRecord;
  readonly contents: ReadonlyMap<string, AssignedContent>;
  /** Keeps the record, durably once resolved; the newest one given is the truth even when this throws. */
  readonly save: (record: TaskRecord) => Promise<void>;
  readonly onProgress: (building: 'pulling' | 'preparing' | 'starting', reason: string, message: string) => void;
  /** A request of its pull was tried again: which registry, and why. */
  readonly onPullRetried: (what: string) => void;
}

/** An attempt that did not come to its start. `reason` is the status's word. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly reason: string;

  constructor(reason: string, cause: unknown) {
    super(errorText(cause), { cause });
    this.reason = reason;
  }
}

/** The permit was withdrawn while the attempt waited (reliability 4.6). */
export class NotPermittedError extends Error {
  override readonly name = 'NotPermittedError';
}

const PULL_BACKOFF = { firstMs: 1_000, maxMs: 60_000 };

/**
 * Builds and starts one attempt; the returned record is `running` and not saved yet.
 *
 * The order is that of reliability 5: slot, root file system, files, bundle, created, journal line on disk, start. On throw, whatever
 * was built is still there: all of it is named after the attempt, so clearing the attempt takes it away.
 *
 * @throws StartError, NotPermittedError, or the signal's reason
 */
export async function startAttempt(start: AttemptStart, parts: TaskParts, signal: AbortSignal): Promise<TaskRecord> {
  const image = await haveImage(start, parts, signal);
  return await parts.startGate.pass(async () => {
    try {
      return await build(start, image, parts, signal);
    } catch (error) {
      throw isOurs(error, signal) ? error : new StartError('StartFailed', error);
    }
  }, signal);
}

/** True for a task that nothing ran of here: only these need a controller's word before they start. */
export function isFirstAttempt(record: TaskRecord): boolean {
  return record.lastExit === undefined;
}

/** A restart takes what is on the disk; a first attempt asks the store, which knows whose login an image needs. */
async function haveImage(start: AttemptStart, parts: TaskParts, signal: AbortSignal): Promise<LocalImage> {
  const { image, digest } = start.record.task.container;
  if (digest === undefined) {
    throw new StartError('ImagePullFailed', new Error(`image ${image} was sent without a digest`));
  }
  const local = await parts.images.find(digest);
  if (local !== undefined && !isFirstAttempt(start.record)) {
    return local;
  }
  if (local === undefined) {
    start.onProgress('pulling', '', '');
    await start.save(start.record);
  }
  return await pull({ image, digest, namespace: start.record.task.namespace }, start, parts, signal);
}

async function pull(request: PullRequest, start: AttemptStart, parts: TaskParts, signal: AbortSignal): Promise<LocalImage> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await parts.images.ensure(request, ({ retried }) => { if (retried !== undefined) start.onPullRetried(retried); }, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isPullRetried(error)) {
        throw new StartError('ImagePullFailed', error);
      }
      start.onProgress('pulling', isDiskPressure(error) ? DISK_PRESSURE : 'ImagePullFailed', errorText(error));
      await parts.clock.sleep(backoffMs(PULL_BACKOFF, attempt, 0.5 + parts.random() / 2), signal);
    }
  }
}

async function build(start: AttemptStart, image: LocalImage, parts: TaskParts, signal: AbortSignal): Promise<TaskRecord> {
  requirePermit(start.record, parts);
  start.onProgress('preparing', '', '');
  await failpoint('agent.before-slot');
  const slot = start.record.slot ?? await parts.network.acquire(signal);
  const record = { ...start.record, slot };
  await start.save(record);
  const admitted = parts.proxy.admit(slot.address, record.task);
  admitted.catch(() => { /* awaited before the start, if it comes to that */ });
  const configJson = await prepareFiles({ ...start, record }, { image, slot }, parts, signal);
  start.onProgress('starting', '', '');
  const created = await createContainer(record, configJson, parts, signal);
  const starting: TaskRecord = { ...record, step: 'starting', container: created };
  await failpoint('agent.before-journal');
  await Promise.all([start.save(starting), parts.records.appendStart(record.task.id, record.attempt)]);
  await admitted;
  await failpoint('agent.before-start');
  signal.throwIfAborted();
  requirePermit(start.record, parts);
  await parts.runtime.start(containerId(record.task.id, record.attempt));
  await failpoint('agent.after-start');
  const health = record.task.container.healthcheck === undefined ? 'none' : 'starting';
  return { ...starting, step: 'running', startedAtMs: parts.clock.nowMs(), health, reason: '', message: '' };
}

/** Everything config.json names: root file system, volumes, the container's own /etc files. */
async function prepareFiles(start: AttemptStart, ready: { readonly image: LocalImage; readonly slot: NetworkSlot }, parts: TaskParts, signal: AbortSignal): Promise<string> {
  const { task, attempt } = start.record;
  const { image, slot } = ready;
  const id = containerId(task.id, attempt);
  const mapping = { userNamespacePath: slot.userNamespacePath, hostBase: slot.hostBase };
  await failpoint('agent.before-rootfs');
  const { rootfsPath } = await parts.snapshots.prepare(id, image.layers, mapping, signal);
  await failpoint('agent.before-volumes');
  const user = await parts.configs.userOf(task, image.config, rootfsPath);
  const mounts = await parts.volumes.prepare(task, task.id, { ...mapping, user }, start.contents);
  await failpoint('agent.before-bundle');
  const bundlePath = await parts.bundles.create(id, etcFiles(task, slot.address, parts.dns.resolvConf(task.namespace, task.app)));
  return await parts.configs.configJson({ task, image: image.config, rootfsPath, slot, mounts, cgroupsPath: parts.cgroups.pathFor(id), bundlePath });
}

async function createContainer(record: TaskRecord, configJson: string, parts: TaskParts, signal: AbortSignal): ReturnType<TaskParts['runtime']['create']> {
  const { task, attempt } = record;
  const id = containerId(task.id, attempt);
  await failpoint('agent.before-create');
  return await parts.runtime.create({
    id,
    runtime: task.container.runtime,
    bundlePath: parts.bundles.pathOf(id),
    configJson,
    logPath: parts.records.logPath(task.id, attempt),
    terminal: task.container.tty,
    stdin: task.container.stdin,
  }, signal);
}

function requirePermit(record: TaskRecord, parts: TaskParts): void {
  if (!parts.permit.mayStart(isFirstAttempt(record))) {
    throw new NotPermittedError('the assignment is not confirmed any more');
  }
}

function isOurs(error: unknown, signal: AbortSignal): boolean {
  return error instanceof NotPermittedError || error instanceof StartError || (signal.aborted && error === signal.reason);
}
