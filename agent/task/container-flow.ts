/** One container, from its image to its start, and away again: what the main container and companions have in common. */
import { backoffMs } from '#kit/backoff.ts';
import { failpoint } from '#kit/failpoint.ts';
import { UndoStack } from '#kit/undo-stack.ts';
import type { AssignedContent } from '#model/assignment.ts';
import { ClusterError, isClusterError } from '#model/errors.ts';
import type { Task } from '#model/task.ts';
import { DISK_PRESSURE, isDiskPressure } from '../disk-pressure.ts';
import type { LocalImage, PullProgress } from '../image/ports.ts';
import { percentOf, pullMessage } from '../image/pull-message.ts';
import type { NetworkSlot } from '../network/ports.ts';
import type { IdMapping } from '../snapshot/ports.ts';
import type { CreatedContainer } from '../runtime/ports.ts';
import { PullBackoffError } from '../image/backed-off-images-flow.ts';
import { errorText, isPullRetried } from './attempt-end.ts';
import { etcFiles } from './etc-files.ts';
import { isOnHostNetwork } from './host-network.ts';
import { containerId, filesKey } from './names.ts';
import type { CompanionRun, ContainerName } from './names.ts';
import type { HeldNamespaces, StartStep, TaskParts } from './ports.ts';
import type { TaskRecord } from './record.ts';

/** One container of an attempt. */
export interface ContainerUnit {
  readonly id: string;
  readonly name: ContainerName;
  /** The task as this container sees it: `container` is its own. */
  readonly task: Task;
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

/** What is told while an attempt begins. */
export type Progress = (building: 'pulling' | 'preparing' | 'starting', reason: string, message: string) => void;

const PULL_RETRIED = 'PullRetried';
const DEFAULT_STOP_SIGNAL = 'TERM';
const PROGRESS_INTERVAL_MS = 1_000;
const PROGRESS_STEP_PERCENT = 4;
const PULL_BACKOFF = { firstMs: 1_000, maxMs: 60_000 };

/** The main container of the record's attempt, or one of its companions. */
export function unitOf({ task, attempt }: TaskRecord, companion?: CompanionRun): ContainerUnit {
  const id = containerId(task.id, attempt, companion);
  if (companion === undefined) {
    return { id, name: { task: task.id, attempt }, task };
  }
  const spec = task.companions?.[companion.index];
  if (spec === undefined) {
    throw new RangeError(`task ${task.id} has no companion ${String(companion.index)}`);
  }
  return { id, name: { task: task.id, attempt, companion }, task: { ...task, container: spec.container } };
}

/** The files of each container of the task: whose they are, and by which key. */
export function filesOf(task: Task): readonly { readonly task: Task; readonly key: string }[] {
  const beside = (task.companions ?? []).map(({ container }, index) => ({ task: { ...task, container }, key: filesKey(task.id, index) }));
  return [{ task, key: filesKey(task.id) }, ...beside];
}

/** True for a task that nothing ran of here: only these need a controller's word before they start. */
export function isFirstAttempt(record: TaskRecord): boolean {
  return record.lastExit === undefined;
}

export function mayStart(record: TaskRecord, { permit }: Pick<TaskParts, 'permit'>): boolean {
  return permit.mayStart(isFirstAttempt(record), record.task.stopAfterMs);
}

/** @throws NotPermittedError */
export function requirePermit(record: TaskRecord, parts: TaskParts): void {
  if (!mayStart(record, parts)) {
    throw new NotPermittedError('the assignment is not confirmed any more');
  }
}

/** @throws ClusterError FAILED_PRECONDITION while no container can be created, with the reason */
export function requireRuntime({ runtime }: Pick<TaskParts, 'runtime'>): void {
  const problem = runtime.problem();
  if (problem !== undefined) {
    throw new ClusterError('FAILED_PRECONDITION', problem);
  }
}

/** @throws StartError for a task with values of a newer controller: what they mean is not guessed */
export function requireUnderstood({ task: { notUnderstood = [] } }: TaskRecord): void {
  if (notUnderstood.length > 0) {
    const cause = new ClusterError('FAILED_PRECONDITION', `the task has values that this agent does not know: ${notUnderstood.join(', ')}; upgrade the agent of this node`);
    throw new StartError('NotUnderstood', cause);
  }
}

/** Errors that say themselves what they mean for the attempt. */
export function isTold(error: unknown, signal: AbortSignal): boolean {
  return error instanceof NotPermittedError || error instanceof StartError || (signal.aborted && error === signal.reason);
}

/** Retries are told at once, how far the pull is now and then: each word of it is a write in the cluster's store. */
function pullTeller(onProgress: Progress, { clock }: TaskParts): (progress: PullProgress) => void {
  let toldAtMs = clock.monotonicMs();
  let toldPercent = 0;
  let retries = 0;
  return ({ layers, ...progress }) => {
    if (progress.retries > retries) {
      retries = progress.retries;
      onProgress('pulling', PULL_RETRIED, `${progress.lastRetry}; tried again`);
      return;
    }
    const percent = percentOf(layers);
    const nowMs = clock.monotonicMs();
    if (percent >= toldPercent + PROGRESS_STEP_PERCENT && nowMs - toldAtMs >= PROGRESS_INTERVAL_MS) {
      toldAtMs = nowMs;
      toldPercent = percent;
      onProgress('pulling', '', pullMessage(layers));
    }
  };
}

/**
 * Returns the image of `task.container`. A later attempt uses the image on disk if its namespace may use it. A first
 * attempt asks the store, which checks the login. An unreachable registry is tried again, and `onProgress` reports it.
 *
 * @throws StartError, or the signal's reason
 */
export async function haveImage(task: Task, how: { readonly mayBeHeld: boolean; readonly onProgress: Progress; readonly beforePull: () => Promise<void> }, parts: TaskParts, signal: AbortSignal): Promise<LocalImage> {
  const { image, digest, pullPolicy } = task.container;
  if (digest === undefined) {
    throw new StartError('ImagePullFailed', new Error(`image ${image} was sent without a digest`));
  }
  const local = pullPolicy === 'never' || (pullPolicy === undefined && how.mayBeHeld) ? await parts.images.find(digest, task.namespace) : undefined;
  if (local !== undefined) {
    return local;
  }
  if (pullPolicy === 'never') {
    throw new StartError('ImageNotPresent', new Error(`image ${image}@${digest} is not on this node, and pull_policy is never; bring it with clusterctl pull --node ${parts.node}, or drop pull_policy`));
  }
  let prepared: Promise<void> | undefined;
  const onAbsent = async (): Promise<void> => {
    if (prepared !== undefined) return;
    how.onProgress('pulling', '', '');
    prepared = how.beforePull();
    await prepared;
  };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await parts.images.ensure({ image, digest, namespace: task.namespace, isChecked: pullPolicy === 'always', onAbsent }, pullTeller(how.onProgress, parts), signal);
    } catch (error) {
      signal.throwIfAborted();
      await prepared;
      if (!isPullRetried(error)) {
        throw new StartError('ImagePullFailed', error);
      }
      how.onProgress('pulling', isDiskPressure(error) ? DISK_PRESSURE : 'ImagePullFailed', errorText(error));
      const ownMs = backoffMs(PULL_BACKOFF, attempt, 0.5 + parts.random() / 2);
      await parts.clock.sleep(error instanceof PullBackoffError ? Math.max(0, error.retryAtMs - parts.clock.monotonicMs()) : ownMs, signal);
    }
  }
}

/** Makes everything config.json names (root file system, volumes, the container's own /etc files), and returns its text. */
export async function prepareFiles(
  unit: ContainerUnit, from: { readonly record: TaskRecord; readonly image: LocalImage; readonly slot: NetworkSlot; readonly deviceUnits: readonly string[]; readonly joined: HeldNamespaces['paths']; readonly contents: ReadonlyMap<string, AssignedContent> }, parts: TaskParts, signal: AbortSignal,
): Promise<string> {
  const { id, task, name } = unit;
  const { image, slot } = from;
  const mapping = idMapping(task, slot);
  await failpoint('agent.before-rootfs');
  const { rootfsPath } = await timed('mount', parts, async () => await parts.snapshots.prepare(id, image.layers, mapping, signal));
  if (task.container.limits.storageBytes !== undefined) await parts.snapshots.limit(id, task.container.limits.storageBytes);
  await failpoint('agent.before-volumes');
  const user = await parts.configs.userOf(task, image.config, rootfsPath);
  const mounts = await parts.volumes.prepare(task, filesKey(task.id, name.companion?.index), { ...mapping, user }, from.contents);
  await failpoint('agent.before-bundle');
  const bundlePath = await parts.bundles.create(id, etcFiles(task, isOnHostNetwork(task) ? '127.0.1.1' : slot.address, parts.dns.resolvConf(task.namespace, task.app)), mapping.hostBase);
  return await parts.configs.configJson({ task, image: image.config, rootfsPath, user, slot, deviceUnits: name.companion === undefined ? from.deviceUnits : [], mounts, cgroupsPath: parts.cgroups.pathFor(id), bundlePath, joined: from.joined });
}

/** Layers, volumes and files show the ids of the slot's user namespace, or the machine's own. */
function idMapping(task: Task, slot: NetworkSlot): IdMapping {
  return task.container.security.hostNamespaces.includes('userns') ? { hostBase: 0 } : { userNamespacePath: slot.userNamespacePath, hostBase: slot.hostBase };
}

export async function createContainer({ id, name, task }: ContainerUnit, configJson: string, parts: TaskParts, signal: AbortSignal): Promise<CreatedContainer> {
  await failpoint('agent.before-create');
  return await timed('create', parts, async () => await parts.runtime.create({
    id,
    runtime: task.container.runtime,
    bundlePath: parts.bundles.pathOf(id),
    configJson,
    logPath: parts.records.logPath(task.id, name),
    terminal: task.container.tty,
    stdin: task.container.stdin,
  }, signal));
}

/** Tells how long `work` took, when it worked. */
export async function timed<Result>(step: StartStep, { clock, onStep }: Pick<TaskParts, 'clock' | 'onStep'>, work: () => Promise<Result>): Promise<Result> {
  const beganAtMs = clock.monotonicMs();
  const result = await work();
  onStep(step, clock.monotonicMs() - beganAtMs);
  return result;
}

/** All of a container goes by its id, each part whatever the others do; absent is fine. */
export async function clearContainer(id: string, parts: Pick<TaskParts, 'bundles' | 'snapshots' | 'runtime'>): Promise<void> {
  await using undo = new UndoStack();
  undo.push('bundle', async () => { await parts.bundles.remove(id); });
  undo.push('root file system', async () => { await parts.snapshots.remove(id); });
  undo.push('container', async () => { await parts.runtime.remove(id); });
}

/** All of them, whatever one of them does. @throws AggregateError, or the one error */
export async function clearContainers(ids: readonly string[], parts: Parameters<typeof clearContainer>[1]): Promise<void> {
  const cleared = await Promise.allSettled(ids.map(async id => { await clearContainer(id, parts); }));
  const failures = cleared.flatMap(one => (one.status === 'rejected' ? [one.reason as unknown] : []));
  if (failures.length > 0) {
    throw failures.length === 1 ? failures[0] : new AggregateError(failures, `containers are not all cleared away: ${ids.join(', ')}`);
  }
}

/** Sends the stop signal: the service's, else the image's, else TERM, also where the image names a signal that nobody knows. */
export async function stopGracefully(id: string, container: Task['container'], parts: Pick<TaskParts, 'images' | 'runtime'>): Promise<void> {
  try {
    await parts.runtime.kill(id, container.stopSignal ?? await imageStopSignal(container, parts), false);
  } catch (error) {
    if (!isClusterError(error, 'INVALID_ARGUMENT')) throw error;
    await parts.runtime.kill(id, DEFAULT_STOP_SIGNAL, false);
  }
}

async function imageStopSignal({ digest }: Task['container'], parts: Pick<TaskParts, 'images'>): Promise<string> {
  const image = digest === undefined ? undefined : await parts.images.find(digest);
  const named = image?.config.stopSignal ?? '';
  return named === '' ? DEFAULT_STOP_SIGNAL : named;
}
