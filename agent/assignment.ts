import { configContentKey, secretContentKey } from '#model/assignment.ts';
import type { AssignedContent, Assignment, AssignmentDelta, FullAssignment } from '#model/assignment.ts';
import { containersOf } from '#model/companion.ts';
import type { TaskId } from '#model/ids.ts';
import type { Task } from '#model/task.ts';
import type { VolumeUse } from '#model/volume.ts';

/** What the controller wants of this node, with the pair it was decided under. Pair (0, 0): nothing was ever received. */
export interface DesiredSet {
  readonly epoch: number;
  readonly generation: number;
  readonly tasks: ReadonlyMap<TaskId, Task>;
  /** Contents that some task in `tasks` needs; no others. */
  readonly contents: ReadonlyMap<string, AssignedContent>;
  /** All volumes whose data is to go; not kept on disk, since each session begins with a full set. */
  readonly volumeRemovals: readonly VolumeUse[];
}

export type Folding =
  | { readonly kind: 'applied'; readonly set: DesiredSet }
  /** Older than what is held, or the same delta again: ignored. */
  | { readonly kind: 'stale'; readonly reason: string }
  /** Something between is missing: only a full set helps. */
  | { readonly kind: 'gap'; readonly reason: string };

export const EMPTY_DESIRED_SET: DesiredSet = { epoch: 0, generation: 0, tasks: new Map(), contents: new Map(), volumeRemovals: [] };

/**
 * The desired set after `message`. Its pair (epoch, generation) never falls; a full set of the same pair is taken again, since each
 * session starts with one (reliability 4.4). A delta that follows the held generation may keep it: a stop that was held back until the
 * endpoints were withdrawn is told without a change in etcd.
 *
 * @param spared  tasks of `held` that stay although a full set does not list them
 */
export function foldAssignment(held: DesiredSet, message: Assignment, spared: ReadonlySet<TaskId> = new Set()): Folding {
  const order = comparePairs(message, held);
  const pair = `${pairText(message)} after ${pairText(held)}`;
  if (message.kind === 'full') {
    return order < 0 ? { kind: 'stale', reason: `full set ${pair}` } : { kind: 'applied', set: fromFull(held, message, spared) };
  }
  if (order < 0 || (order === 0 && message.from !== held.generation)) {
    return { kind: 'stale', reason: `delta ${pair}` };
  }
  if (message.from !== held.generation) {
    return { kind: 'gap', reason: `delta from ${String(message.from)} to ${pair}` };
  }
  return { kind: 'applied', set: fromDelta(held, message) };
}

/** The newest etcd revision that the set tells of: a leader's epoch is the one that its key was made at. */
export function knownRevision({ epoch, generation }: Pick<DesiredSet, 'epoch' | 'generation'>): number {
  return Math.max(epoch, generation);
}

/** Keys of the configs and secrets that the task mounts as files, in the order of its mounts. */
export function contentKeysOf(task: Task): { readonly configs: readonly string[]; readonly secrets: readonly string[] } {
  const pinned = (mounts: readonly { readonly source: string }[], keys: ReadonlyMap<string, string>): string[] =>
    mounts.map(mount => keys.get(mount.source)).filter(key => key !== undefined);
  const configs = new Map(task.pins.configs.map(pin => [pin.name, configContentKey(pin.sha256)]));
  const secrets = new Map(task.pins.secrets.map(pin => [pin.name, secretContentKey(task.namespace, pin.name, pin.version)]));
  const containers = containersOf(task);
  return {
    configs: containers.flatMap(container => pinned(container.configs, configs)),
    secrets: containers.flatMap(container => pinned(container.secrets, secrets)),
  };
}

/**
 * Tasks that are to run, that the full set does not list and that nobody told to stop: gone while the node was away, or not known to a store that was
 * restored from a backup. Not those of which there is never to be a second one (I11): such a store
 * may have another made in their place.
 */
export function unlistedTasks(held: DesiredSet, message: FullAssignment): readonly TaskId[] {
  const listed = new Set([...message.tasks.map(({ id }) => id), ...message.keptTasks ?? []]);
  return [...held.tasks.values()].filter(task => task.desired === 'run' && task.kind !== 'stateful' && task.stopAfterMs === undefined && !listed.has(task.id)).map(({ id }) => id);
}

/** The set without these tasks, and without what only they needed. */
export function withoutTasks(set: DesiredSet, ids: ReadonlySet<TaskId>): DesiredSet {
  return withContents(set, new Map([...set.tasks].filter(([id]) => !ids.has(id))), [...set.contents.values()]);
}

function fromFull(held: DesiredSet, message: FullAssignment, spared: ReadonlySet<TaskId>): DesiredSet {
  const kept = new Set([...spared, ...message.keptTasks ?? []]);
  const tasks = [...[...held.tasks.values()].filter(({ id }) => kept.has(id)), ...message.tasks.map(task => understoodOrHeld(held, task))];
  return withContents(message, new Map(tasks.map(task => [task.id, task])), [...held.contents.values(), ...message.contents]);
}

function fromDelta(held: DesiredSet, message: AssignmentDelta): DesiredSet {
  const tasks = new Map(held.tasks);
  for (const id of message.removals) {
    tasks.delete(id);
  }
  for (const task of message.upserts) {
    tasks.set(task.id, understoodOrHeld(held, task));
  }
  return withContents(message, tasks, [...held.contents.values(), ...message.contents]);
}

/** A newer controller's change of a task that is held is not taken, rather than guessed at: it may be about how to stop it. */
function understoodOrHeld(held: DesiredSet, task: Task): Task {
  return task.notUnderstood === undefined ? task : held.tasks.get(task.id) ?? task;
}

/** Contents have immutable keys, so held ones stay good; those nobody needs any more go. */
function withContents(
  { epoch, generation, volumeRemovals }: Pick<Assignment, 'epoch' | 'generation' | 'volumeRemovals'>,
  tasks: ReadonlyMap<TaskId, Task>,
  contents: readonly AssignedContent[],
): DesiredSet {
  const needed = new Set([...tasks.values()].flatMap(task => {
    const keys = contentKeysOf(task);
    return [...keys.configs, ...keys.secrets];
  }));
  const kept = contents.filter(content => needed.has(content.key));
  return { epoch, generation, tasks, contents: new Map(kept.map(content => [content.key, content])), volumeRemovals };
}

interface Pair {
  readonly epoch: number;
  readonly generation: number;
}

function comparePairs(left: Pair, right: Pair): number {
  return left.epoch === right.epoch ? left.generation - right.generation : left.epoch - right.epoch;
}

function pairText(pair: Pair): string {
  return `(${String(pair.epoch)}, ${String(pair.generation)})`;
}
