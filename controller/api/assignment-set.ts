/** What a node must run, as the next message of its session: a full set first, then deltas that follow it. */
import { containersOf } from '#model/companion.ts';
import type { Assignment, AssignedContent } from '#model/assignment.ts';
import { configContentKey, secretContentKey } from '#model/assignment.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import { tasksOfNode } from '#model/node-of-task.ts';
import type { Task } from '#model/task.ts';
import { volumeId } from '#model/volume.ts';
import type { VolumeUse } from '#model/volume.ts';

/** What the session was sent last: each task with the etcd revision of its record, the keys of contents, and volumes to remove. */
export interface SentAssignment {
  readonly generation: number;
  readonly tasks: ReadonlyMap<TaskId, number>;
  readonly contents: ReadonlySet<string>;
  readonly volumeRemovals: readonly VolumeUse[];
}

export const NOTHING_SENT: SentAssignment = { generation: 0, tasks: new Map(), contents: new Set(), volumeRemovals: [] };

/** A content that a task's files come from, by its key in the assignment and its place in the store. */
export type ContentReference =
  | { readonly kind: 'config'; readonly key: string; readonly namespace: string; readonly sha256: string }
  | { readonly kind: 'secret'; readonly key: string; readonly namespace: string; readonly name: string; readonly version: number };

/** Revision of a sent task whose record could not be read. */
const UNREAD = 0;

export interface AssignedNode {
  readonly node: NodeId;
  /** Its agent keeps tasks that a full set names as unreadable. */
  readonly takesKeptTasks: boolean;
}

/** The next message without its contents (they are read and opened by the caller), and what will have been sent with it. */
export interface AssignmentStep {
  readonly assignment: Assignment;
  readonly contents: readonly ContentReference[];
  readonly sent: SentAssignment;
}

/** All contents that a task's files come from, sorted by key. */
export function contentsOf(task: Task): readonly ContentReference[] {
  const { pins, namespace } = task;
  const containers = containersOf(task);
  const configs = pins.configs.filter(pin => containers.some(container => container.configs.some(mount => mount.source === pin.name)))
    .map(pin => ({ kind: 'config' as const, key: configContentKey(pin.sha256), namespace, sha256: pin.sha256 }));
  const secrets = pins.secrets.filter(pin => containers.some(container => container.secrets.some(mount => mount.source === pin.name)))
    .map(pin => ({ kind: 'secret' as const, key: secretContentKey(namespace, pin.name, pin.version), namespace, name: pin.name, version: pin.version }));
  return uniqueByKey([...configs, ...secrets]);
}

/**
 * Which of the tasks that wait for their endpoints' withdrawal are told as `run` meanwhile. Not an exclusive one whose stop is older than the session: its agent may have stopped
 * it while it was cut off, and would take that word to start it again beside its replacement (I11).
 */
export function heldBack(waiting: ReadonlySet<TaskId>, snapshot: ClusterSnapshot, sessionRevision: number): ReadonlySet<TaskId> {
  return new Set([...waiting].filter(id => {
    const task = snapshot.tasks.get(id);
    return task?.value.stopAfterMs === undefined || task.modRevision > sessionRevision;
  }));
}

/**
 * The full set of `node` at the snapshot's revision; undefined while nobody leads (without an epoch no agent may take it, so what is sent
 * then would count as told and never be). Tasks that cannot be read stay as the node has them; an agent of before, which knows of none,
 * gets no full set while there are: what that lacks is stopped.
 *
 * @param held  tasks that are to stop but may not be told yet (their endpoints are still being withdrawn): sent as `run`
 */
export function fullAssignment(snapshot: ClusterSnapshot, { node, takesKeptTasks }: AssignedNode, held: ReadonlySet<TaskId>): AssignmentStep | undefined {
  const keptTasks = unreadableOn(snapshot, node);
  if (snapshot.epoch === 0 || (keptTasks.length > 0 && !takesKeptTasks)) {
    return undefined;
  }
  const entries = tasksOf(snapshot, node);
  const volumeRemovals = removalsOf(snapshot, node);
  const contents = uniqueByKey(entries.flatMap(entry => contentsOf(entry.task)));
  return {
    assignment: {
      kind: 'full',
      epoch: snapshot.epoch,
      generation: snapshot.etcdRevision,
      tasks: entries.map(entry => told(entry.task, held)),
      contents: [], volumeRemovals, ...(keptTasks.length === 0 ? {} : { keptTasks }),
    },
    contents,
    sent: {
      generation: snapshot.etcdRevision,
      tasks: new Map([...keptTasks.map(id => [id, UNREAD] as const), ...entries.map(entry => [entry.task.id, toldRevision(entry, held)] as const)]),
      contents: new Set(contents.map(content => content.key)), volumeRemovals,
    },
  };
}

/** What changed for `node` since `sent`; undefined when nothing did, and while nobody leads. A task that cannot be read now stays as it was told. */
export function assignmentDelta(snapshot: ClusterSnapshot, node: NodeId, sent: SentAssignment, held: ReadonlySet<TaskId>): AssignmentStep | undefined {
  if (snapshot.epoch === 0) {
    return undefined;
  }
  const entries = tasksOf(snapshot, node);
  const volumeRemovals = removalsOf(snapshot, node);
  const now = new Set(entries.map(entry => entry.task.id));
  const changed = entries.filter(entry => sent.tasks.get(entry.task.id) !== toldRevision(entry, held));
  const kept = [...sent.tasks].filter(([id]) => snapshot.unreadableTasks.has(id));
  const removals = [...sent.tasks.keys()].filter(id => !now.has(id) && !snapshot.unreadableTasks.has(id)).sort();
  if (changed.length === 0 && removals.length === 0 && areSame(volumeRemovals, sent.volumeRemovals)) {
    return undefined;
  }
  const contents = uniqueByKey(changed.flatMap(entry => contentsOf(entry.task))).filter(content => !sent.contents.has(content.key));
  return {
    assignment: {
      kind: 'delta',
      epoch: snapshot.epoch,
      from: sent.generation,
      generation: snapshot.etcdRevision,
      upserts: changed.map(entry => told(entry.task, held)),
      removals,
      contents: [], volumeRemovals,
    },
    contents,
    sent: {
      generation: snapshot.etcdRevision,
      tasks: new Map([...kept, ...entries.map(entry => [entry.task.id, toldRevision(entry, held)] as const)]),
      // A node forgets what none of its tasks needs: it is sent again when one does (an earlier Revision that comes back).
      contents: new Set(entries.flatMap(entry => contentsOf(entry.task)).map(content => content.key)), volumeRemovals,
    },
  };
}

/** The same message with its contents put in. */
export function withContents(assignment: Assignment, contents: readonly AssignedContent[]): Assignment {
  return { ...assignment, contents };
}

/** Tasks that cannot be read and are there, by what is known of them or by their reports; also those of which neither says where they are. */
function unreadableOn(snapshot: ClusterSnapshot, node: NodeId): readonly TaskId[] {
  const placed = [...snapshot.unreadableTasks].map(([id, known]) => ({ id, on: known.node ?? snapshot.statuses.get(id)?.value.node ?? node }));
  return placed.filter(({ on }) => on === node).map(({ id }) => id).sort();
}

interface Entry {
  readonly task: Task;
  readonly modRevision: number;
}

function tasksOf(snapshot: ClusterSnapshot, node: NodeId): readonly Entry[] {
  return tasksOfNode(snapshot, node).map(({ value, modRevision }) => ({ task: value, modRevision }));
}

function removalsOf({ volumes, volumesLeaving }: ClusterSnapshot, node: NodeId): readonly VolumeUse[] {
  return [...volumesLeaving.get(node) ?? []].sort().map(name => ({ name, fence: volumes.get(volumeId(name, node))?.value.fence ?? 0 }));
}

function areSame(left: readonly VolumeUse[], right: readonly VolumeUse[]): boolean {
  return left.length === right.length && left.every(({ name, fence }, index) => name === right[index]?.name && fence === right[index].fence);
}

function told(task: Task, held: ReadonlySet<TaskId>): Task {
  return held.has(task.id) ? { ...task, desired: 'run' } : task;
}

/** A held task counts as another version than the same task told to stop. */
function toldRevision(entry: Entry, held: ReadonlySet<TaskId>): number {
  return held.has(entry.task.id) ? -entry.modRevision : entry.modRevision;
}

function uniqueByKey(contents: readonly ContentReference[]): readonly ContentReference[] {
  return [...new Map(contents.map(content => [content.key, content])).values()].sort((left, right) => (left.key < right.key ? -1 : 1));
}
