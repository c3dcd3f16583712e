import { allEnded } from '#kit/all-ended.ts';
import { failpoint } from '#kit/failpoint.ts';
import type { AssignedContent } from '#model/assignment.ts';
import { resourcesOf } from '#model/resources.ts';
import type { LocalImage } from '../image/ports.ts';
import { createContainer, haveImage, isFirstAttempt, isTold, prepareFiles, requirePermit, requireRuntime, requireUnderstood, StartError, timed, unitOf } from './container-flow.ts';
import type { Progress } from './container-flow.ts';
import { joinedNamespaces } from './joined-namespaces.ts';
import { containerId } from './names.ts';
import type { TaskParts } from './ports.ts';
import { asStarted, freshCompanions } from './record.ts';
import type { CompanionRecord, TaskRecord } from './record.ts';
import type { CreatedContainer } from '../runtime/ports.ts';

/** One attempt to be started. `record` is at `building`, with the attempt's number; nothing of the main container exists yet. */
export interface AttemptStart {
  readonly record: TaskRecord;
  readonly contents: ReadonlyMap<string, AssignedContent>;
  /** Keeps the record, durably once resolved; the newest one given is the truth even when this throws. */
  readonly save: (record: TaskRecord) => Promise<void>;
  /** The same in memory alone. */
  readonly note: (record: TaskRecord) => void;
  readonly onProgress: Progress;
}

/** `kept`: the assignment that has the task is on disk once it resolved; what it throws ends the attempt. */
export type MainStart = AttemptStart & { readonly kept: Promise<void> };

/**
 * Gets all that the companions of an attempt stand on: every image, the network slot, the way through the proxy. The returned record is at
 * `preparing` and not saved yet.
 *
 * @throws StartError, NotPermittedError, or the signal's reason
 */
export async function prepareAttempt(start: AttemptStart, parts: TaskParts, signal: AbortSignal): Promise<TaskRecord> {
  const { record } = start;
  requireUnderstood(record);
  for (const { container } of record.task.companions ?? []) {
    await imageOf({ ...start, record: { ...record, task: { ...record.task, container } } }, parts, signal);
  }
  await imageOf(start, parts, signal);
  requirePermit(record, parts);
  start.onProgress('preparing', '', '');
  await failpoint('agent.before-slot');
  const slot = record.slot ?? await parts.network.acquire(signal);
  const companions = freshCompanions(record.task);
  return { ...record, slot, step: 'preparing', ...(companions === undefined ? {} : { companions }) };
}

/**
 * Builds and starts one attempt's main container; the returned record is `running` and not saved yet.
 *
 * The order is that of reliability 5: slot, root file system, files, bundle, created, and then the start. Before that the assignment, the record and the journal
 * line are on disk, written while the runtime creates: all are only about what is started, and a disk that is being flushed makes directories late. That it was created is in the runtime's own record, which lasts as long
 * as the boot, as the container does. On throw, whatever was built is still there: all of it is named after the attempt, so clearing the attempt,
 * or a recovery that finds no record of it, takes it away.
 *
 * @throws StartError, NotPermittedError, or the signal's reason
 */
export async function startAttempt(start: MainStart, parts: TaskParts, signal: AbortSignal): Promise<TaskRecord> {
  requireUnderstood(start.record);
  const image = await imageOf(start, parts, signal);
  return await parts.startGate.pass(async () => {
    try {
      return await build(start, image, parts, signal);
    } catch (error) {
      throw isTold(error, signal) ? error : new StartError('StartFailed', error);
    }
  }, signal);
}

/** One run of a companion to be started; the attempt has its slot. `save` takes that companion's record. */
export interface CompanionStart {
  readonly record: TaskRecord;
  readonly index: number;
  readonly contents: ReadonlyMap<string, AssignedContent>;
  readonly save: (companion: CompanionRecord) => Promise<void>;
}

/**
 * Builds and starts the next run of a companion, in the same order of steps; the returned record is `running` and not saved yet.
 *
 * @throws StartError, NotPermittedError, or the signal's reason
 */
export async function startCompanion(start: CompanionStart, parts: TaskParts, signal: AbortSignal): Promise<CompanionRecord> {
  const { record, index } = start;
  const held = record.companions?.[index];
  const { slot } = record;
  if (held === undefined || slot === undefined) {
    throw new RangeError(`task ${record.task.id} has no companion ${String(index)} to start`);
  }
  const { container: _container, ...rest } = held;
  const building: CompanionRecord = { ...rest, step: 'building', run: held.run + 1 };
  const unit = unitOf(record, { index, run: building.run });
  const image = await haveImage(unit.task, { mayBeHeld: true, onProgress: () => undefined, beforePull: () => Promise.resolve() }, parts, signal);
  return await parts.startGate.pass(async () => {
    try {
      requirePermit(record, parts);
      requireRuntime(parts);
      await start.save(building);
      using joined = parts.configs.hold(joinedNamespaces(record, index));
      const configJson = await prepareFiles(unit, { record, image, slot, deviceUnits: [], joined: joined.paths, contents: start.contents }, parts, signal);
      const container = await createContainer(unit, configJson, parts, signal);
      await failpoint('agent.before-journal');
      await Promise.all([start.save({ ...building, step: 'starting', container }), parts.records.appendStart(unit.name)]);
      await failpoint('agent.before-start');
      signal.throwIfAborted();
      requirePermit(record, parts);
      await parts.runtime.start(unit.id);
      await failpoint('agent.after-start');
      return { ...building, step: 'running', container };
    } catch (error) {
      throw isTold(error, signal) ? error : new StartError('StartFailed', error);
    }
  }, signal);
}

async function imageOf(start: AttemptStart, parts: TaskParts, signal: AbortSignal): Promise<LocalImage> {
  const { record, onProgress } = start;
  return await haveImage(record.task, { mayBeHeld: !isFirstAttempt(record), onProgress, beforePull: async () => { await start.save(start.record); } }, parts, signal);
}

async function build(start: MainStart, image: LocalImage, parts: TaskParts, signal: AbortSignal): Promise<TaskRecord> {
  requirePermit(start.record, parts);
  start.onProgress('preparing', '', '');
  await failpoint('agent.before-slot');
  // First, since it may refuse: a slot that no record has yet would be nobody's.
  const deviceUnits = parts.devices.take(start.record.task);
  const slot = start.record.slot ?? await timed('net', parts, async () => await parts.network.acquire(signal));
  const record = { ...start.record, slot, ...(deviceUnits.length === 0 ? {} : { deviceUnits }) };
  start.note(record);
  const unit = unitOf(record);
  parts.cgroups.expectMove();
  using joined = parts.configs.hold(joinedNamespaces(record, undefined));
  const configJson = await prepareFiles(unit, { record, image, slot, deviceUnits, joined: joined.paths, contents: start.contents }, parts, signal);
  const [container] = await allEnded([
    create({ ...start, record }, configJson, parts, signal),
    start.save(record),
    parts.records.appendStart(unit.name),
    parts.proxy.admit(slot.address, record.task),
    start.kept,
  ]);
  await failpoint('agent.before-start');
  signal.throwIfAborted();
  requirePermit(start.record, parts);
  await timed('start', parts, async () => { await parts.runtime.start(unit.id); });
  await failpoint('agent.after-start');
  return asStarted(record, 'running', container, parts.clock.nowMs());
}

/** A container that waits for its start, of files that are there. */
async function create({ record, onProgress }: AttemptStart, configJson: string, parts: TaskParts, signal: AbortSignal): Promise<CreatedContainer> {
  onProgress('starting', '', '');
  const container = await createContainer(unitOf(record), configJson, parts, signal);
  await holdTo(record, parts);
  await failpoint('agent.before-journal');
  return container;
}

/** By the same hand that changes them later; nothing of the container runs yet. */
async function holdTo({ task, attempt }: TaskRecord, parts: TaskParts): Promise<void> {
  const ignored = await parts.cgroups.limit(containerId(task.id, attempt), resourcesOf(task.container));
  for (const message of ignored) {
    parts.events.happened({ type: 'warning', task, reason: 'LimitIgnored', message });
  }
}
