import { UndoStack } from '#kit/undo-stack.ts';
import type { AssignedContent } from '#model/assignment.ts';
import type { TaskId } from '#model/ids.ts';
import type { DesiredSet } from '../assignment.ts';
import { diskAnswer, isDiskPressure } from '../disk-pressure.ts';
import type { NodeNetwork } from '../network/ports.ts';
import { containerId, parseContainerId } from './names.ts';
import type { TaskParts } from './ports.ts';
import { filesOf } from './container-flow.ts';
import { applyRecovery, decideRecovery, isNobodys, recoverCompanion } from './recovery.ts';
import type { Found } from './recovery.ts';
import { asStarted, claimedContainers, withCompanion } from './record.ts';
import type { TaskRecord } from './record.ts';

export interface Recovered {
  readonly records: readonly TaskRecord[];
  /** No attempt of a task may have this number or a lower one: it may have been started already. */
  readonly attemptFloors: ReadonlyMap<TaskId, number>;
  /** What carried our names but no record; removed. For events. */
  readonly strays: readonly string[];
  /** Secrets that are still in the files of tasks, by key. */
  readonly secrets: ReadonlyMap<string, AssignedContent>;
}

type RecoveryParts = Omit<TaskParts, 'network'> & { readonly network: Pick<NodeNetwork, 'adopt' | 'release' | 'sweep'> };

/**
 * Start = recover (reliability 5): reads the records, asks the node what is left of each, writes what it decided, and removes all that
 * has our names but no record. Running it twice changes nothing more.
 *
 * @param assigned  as it was kept on the disk; a task that is not in it, and has no readable record or was never started, is nobody's
 */
export async function recoverTasks(parts: RecoveryParts, assigned?: Pick<DesiredSet, 'tasks'>): Promise<Recovered> {
  const { records, corrupt } = await parts.records.load();
  for (const task of corrupt) {
    const isGone = assigned?.tasks.has(task) === false;
    parts.log.error({ task }, `record is not readable: its container is removed and ${isGone ? 'the task, which is not assigned any more, forgotten' : 'the task starts anew'}`);
    if (isGone) await parts.records.forget(task);
  }
  await parts.runtime.endAbandonedExecs();
  const containers = await parts.runtime.list();
  const floors = await attemptFloors(containers, parts);
  const recovered: TaskRecord[] = [];
  for (const record of records) {
    parts.devices.adopt(record.task, record.deviceUnits ?? []);
    const next = await recoverOne(withFloor(record, floors, parts), parts);
    if (isNobodys(next, assigned?.tasks)) {
      await forget(next, parts);
    } else {
      recovered.push(next);
    }
  }
  parts.deadman.releaseAllBut(new Set(recovered.filter(record => claimedContainers(record).length > 0).map(record => record.task.id)));
  await parts.network.sweep(new Set(recovered.map(record => record.slot?.id).filter(id => id !== undefined)));
  const secrets = (await Promise.all(recovered.flatMap(({ task }) => filesOf(task)).map(async ({ task, key }) => await parts.volumes.recall(task, key)))).flat();
  const strays = await removeStrays(recovered, containers, parts);
  return { records: recovered, attemptFloors: floors, strays, secrets: new Map(secrets.map(secret => [secret.key, secret])) };
}

async function recoverOne(saved: TaskRecord, parts: RecoveryParts): Promise<TaskRecord> {
  const record = await asCreated(saved, parts);
  const found = await find(record, parts);
  const verdict = decideRecovery(record, found, parts.clock.nowMs());
  parts.log.info({ task: record.task.id, attempt: record.attempt, verdict: verdict.kind, reason: verdict.reason }, 'recovered task');
  const next = await recoverCompanions(applyRecovery(record, verdict, found, parts.bootId), parts);
  await parts.records.save(next).catch((error: unknown) => {
    // What is on the disk leads to the same decision the next time; a full disk is no reason to leave containers without an agent.
    if (!isDiskPressure(error)) throw error;
    parts.log.error({ task: record.task.id, err: error }, 'recovered, but the record could not be written');
  });
  return next;
}

/** What was made of it goes with all else that no record claims. */
async function forget({ task, slot }: TaskRecord, parts: RecoveryParts): Promise<void> {
  parts.log.info({ task: task.id }, 'forgotten: nothing of it is left to tell, and it is not in the assignment on the disk');
  parts.devices.release(task.id);
  if (slot !== undefined) await parts.network.release(slot.id);
  await parts.records.forget(task.id).catch((error: unknown) => {
    // What is on the disk leads to the same decision the next time.
    if (diskAnswer(error) === undefined) throw error;
    parts.log.error({ task: task.id, err: error }, 'its record could not be removed');
  });
}

/**
 * The journal's line and the record of an attempt are written side by side: an agent that was killed, or a machine that went down, may have left the
 * line alone. In this boot that is so only before the first record of the attempt, when the one before it is `idle`.
 */
function withFloor(record: TaskRecord, floors: ReadonlyMap<TaskId, number>, { bootId }: RecoveryParts): TaskRecord {
  return record.bootId === bootId && record.step !== 'idle' ? record : { ...record, attempt: Math.max(record.attempt, floors.get(record.task.id) ?? 0) };
}

/** A start writes one record before its work; how far that came is in the runtime's own, which is of this boot or not there. */
async function asCreated(record: TaskRecord, parts: RecoveryParts): Promise<TaskRecord> {
  if (record.step !== 'building' || record.bootId !== parts.bootId) return record;
  const created = await parts.runtime.created(containerId(record.task.id, record.attempt));
  if (created === undefined) return record;
  const { container, monitor, createdAtMs } = created;
  const { resources: _unsure, ...started } = asStarted(record, 'starting', { container, monitor }, createdAtMs);
  return started;
}

/** Of another boot nothing is there, so the runtime knows none of them. */
async function recoverCompanions(record: TaskRecord, parts: RecoveryParts): Promise<TaskRecord> {
  let recovered = record;
  for (const [index, companion] of (record.companions ?? []).entries()) {
    if (companion.step === 'starting') {
      const id = containerId(record.task.id, record.attempt, { index, run: companion.run });
      const found = { state: await parts.runtime.state(id), hasEnded: await parts.runtime.readEnd(id) !== undefined };
      recovered = withCompanion(recovered, index, recoverCompanion(companion, found));
    }
  }
  return recovered;
}

async function find(record: TaskRecord, parts: RecoveryParts): Promise<Found> {
  if (record.bootId !== parts.bootId) {
    return { isSameBoot: false, state: 'absent', isContainerAlive: false, isSlotHeld: false };
  }
  const isSlotHeld = record.slot !== undefined && await parts.network.adopt(record.slot);
  const wasStarted = record.step === 'starting' || record.step === 'running';
  if (!wasStarted || record.container === undefined) {
    return { isSameBoot: true, state: 'absent', isContainerAlive: false, isSlotHeld };
  }
  const id = containerId(record.task.id, record.attempt);
  const state = await parts.runtime.state(id);
  const end = await parts.runtime.readEnd(id);
  const isContainerAlive = await parts.runtime.isAlive(record.container.container);
  const isCutOff = parts.deadman.hasKilled(record.task.id, record.attempt);
  return { isSameBoot: true, state, isContainerAlive, isSlotHeld, isCutOff, ...(end === undefined ? {} : { end }) };
}

/** Removes what no record claims. Only the newest attempt of a record that is not idle or finished has anything left. */
async function removeStrays(records: readonly TaskRecord[], containers: readonly string[], parts: RecoveryParts): Promise<readonly string[]> {
  const claimed = new Set(records.flatMap(claimedContainers));
  const tasks = new Set<string>(records.filter(record => record.step !== 'finished').flatMap(record => filesOf(record.task)).map(files => files.key));
  const strays: string[] = [];
  await using removal = new UndoStack();
  const plan = (what: string, ids: readonly string[], claims: ReadonlySet<string>, remove: (id: string) => Promise<void>): void => {
    for (const id of ids.filter(one => !claims.has(one))) {
      strays.push(`${what} ${id}`);
      removal.push(`${what} ${id}`, async () => { await remove(id); });
    }
  };
  // Newest first: containers before what they stand on.
  plan('files', await parts.volumes.list(), tasks, async id => { await parts.volumes.remove(id); });
  plan('bundle', await parts.bundles.list(), claimed, async id => { await parts.bundles.remove(id); });
  plan('root file system', await parts.snapshots.list(), claimed, async id => { await parts.snapshots.remove(id); });
  plan('container', containers, claimed, async id => { await parts.runtime.remove(id); });
  return strays;
}

async function attemptFloors(containers: readonly string[], parts: RecoveryParts): Promise<ReadonlyMap<TaskId, number>> {
  const floors = new Map(await parts.records.lastStarts());
  for (const id of containers) {
    const name = parseContainerId(id);
    if (name !== undefined) {
      floors.set(name.task, Math.max(floors.get(name.task) ?? 0, name.attempt));
    }
  }
  return floors;
}
