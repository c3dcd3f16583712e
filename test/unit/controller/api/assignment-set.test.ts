import test from 'ava';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { Task } from '#model/task.ts';
import { NOTHING_SENT, assignmentDelta, fullAssignment, heldBack } from '../../../../controller/api/assignment-set.ts';
import type { AssignedNode, AssignmentStep, SentAssignment } from '../../../../controller/api/assignment-set.ts';
import { node, service, snapshot, status, task, volume } from '../../../support/builders.ts';
import type { SnapshotOptions } from '../../../support/builders.ts';

const n1 = node('n1');
const web = service();
const [one, two] = [task(web, n1, { slot: 0 }), task(web, n1, { slot: 1 })];
const elsewhere = task(web, 'n2', { slot: 2 });
const none: ReadonlySet<TaskId> = new Set();

function on(id: NodeId): AssignedNode {
  return { node: id, takesKeptTasks: true };
}

/** Ids of what a message tells, with what it takes away after a minus. */
function told(step: AssignmentStep | undefined): readonly string[] | undefined {
  if (step === undefined) {
    return undefined;
  }
  const { assignment } = step;
  return assignment.kind === 'full'
    ? assignment.tasks.map(each => `${each.id} ${each.desired}`)
    : [...assignment.upserts.map(each => `${each.id} ${each.desired}`), ...assignment.removals.map(id => `-${id}`)];
}

function sentOf(tasks: readonly Task[]): SentAssignment {
  return fullAssignment(snapshot({ nodes: [n1], services: [web], tasks }), on(n1.id), none)?.sent ?? NOTHING_SENT;
}

test('a full set has all tasks of the node, and no others', t => {
  t.deepEqual(told(fullAssignment(snapshot({ tasks: [one, two, elsewhere] }), on(n1.id), none)), [`${one.id} run`, `${two.id} run`]);
});

test('a task whose stop is held back is told to run', t => {
  const stopping = { ...one, desired: 'stop' } as const;
  t.deepEqual(told(fullAssignment(snapshot({ tasks: [stopping] }), on(n1.id), new Set([one.id]))), [`${one.id} run`]);
});

test('I11: a stop of an exclusive task that is older than the session is told as it is', t => {
  const stopping = [{ ...one, desired: 'stop', stopAfterMs: 30_000 }, { ...two, desired: 'stop' }] as const;
  const state = snapshot({ tasks: stopping });
  const revision = state.tasks.get(one.id)?.modRevision ?? 0;
  const waiting = new Set([one.id, two.id]);
  t.deepEqual([...heldBack(waiting, state, revision)], [two.id]);
  t.deepEqual([...heldBack(waiting, state, revision - 1)], [one.id, two.id]);
});

test('a delta has what came and what went; nothing changed: no delta', t => {
  t.deepEqual(told(assignmentDelta(snapshot({ tasks: [two] }), n1.id, sentOf([one]), none)), [`${two.id} run`, `-${one.id}`]);
  t.is(assignmentDelta(snapshot({ tasks: [one] }), n1.id, sentOf([one]), none), undefined);
});

test('A4: nothing is told while nobody leads: it would count as told, and no agent takes it', t => {
  t.is(fullAssignment(snapshot({ epoch: 0, tasks: [one] }), on(n1.id), none), undefined);
  t.is(assignmentDelta(snapshot({ epoch: 0, tasks: [two] }), n1.id, sentOf([one]), none), undefined);
});

test('A11: a task of which nothing can be read may be on any node, and one whose node is known is not named elsewhere', t => {
  const named = (unreadableTasks: NonNullable<SnapshotOptions['unreadableTasks']>, node: NodeId): unknown => {
    const assignment = fullAssignment(snapshot({ tasks: [], unreadableTasks }), on(node), none)?.assignment;
    return assignment?.kind === 'full' ? assignment.keptTasks : undefined;
  };
  t.deepEqual([named([one.id], n1.id), named([one.id], elsewhere.node)], [[one.id], [one.id]]);
  t.deepEqual([named([[one.id, { node: n1.id }]], n1.id), named([[one.id, { node: n1.id }]], elsewhere.node)], [[one.id], undefined]);
});

test('A11: a task whose record cannot be read is not taken away: the full set of its node names it, no removal in a delta', t => {
  const poisoned = { tasks: [two], statuses: [status(one), status(two)], unreadableTasks: [one.id] };
  const full = fullAssignment(snapshot(poisoned), on(n1.id), none);
  t.deepEqual([told(full), full?.assignment], [[`${two.id} run`], { ...full?.assignment, keptTasks: [one.id] }]);
  t.deepEqual(told(assignmentDelta(snapshot({ tasks: [two] }), n1.id, full?.sent ?? NOTHING_SENT, none)), [`-${one.id}`], 'once its record is gone, so is the task');
  t.is(fullAssignment(snapshot(poisoned), { node: n1.id, takesKeptTasks: false }, none), undefined, 'an agent of before would stop what a full set lacks');
  t.deepEqual(told(fullAssignment(snapshot({ ...poisoned, tasks: [elsewhere] }), on(elsewhere.node), none)), [`${elsewhere.id} run`]);
  const step = assignmentDelta(snapshot(poisoned), n1.id, sentOf([one]), none);
  t.deepEqual(told(step), [`${two.id} run`]);
  t.deepEqual(told(assignmentDelta(snapshot({ tasks: [two] }), n1.id, step?.sent ?? NOTHING_SENT, none)), [`-${one.id}`]);
});

test('a content that no task of the node needs any more is sent again when one does', t => {
  const paged = service({ container: { configs: [{ source: 'page', target: '/page', mode: 0o444 }] } });
  const withPage = (sha256: string, slot: number): Task => ({ ...task(paged, n1, { slot }), pins: { configs: [{ name: 'page', sha256 }], secrets: [] } });
  const [first, second, again] = [withPage('1'.repeat(64), 0), withPage('2'.repeat(64), 1), withPage('1'.repeat(64), 2)];
  const delta = (tasks: readonly Task[], sent: SentAssignment): AssignmentStep => assignmentDelta(snapshot({ nodes: [n1], tasks, etcdRevision: sent.generation + 1 }), n1.id, sent, none)!;
  const both = delta([first, second], sentOf([first]));
  t.deepEqual(both.contents.map(one => one.key), [`config/${'2'.repeat(64)}`]);
  const replaced = delta([second], both.sent);
  t.deepEqual(delta([second, again], both.sent).contents, []);
  t.deepEqual(delta([second, again], replaced.sent).contents.map(one => one.key), [`config/${'1'.repeat(64)}`]);
});

test('a node is told all volumes that it is to remove, and told again when they are others', t => {
  const volumes = [volume('n1', { name: 'b', state: 'removing' }), volume('n1', { name: 'a', state: 'removing' }), volume('n1', { name: 'kept' }), volume('n2', { state: 'removing' })];
  const full = fullAssignment(snapshot({ tasks: [one], volumes }), on(n1.id), none);
  t.deepEqual(full?.assignment.volumeRemovals, [{ name: 'default/a', fence: 1 }, { name: 'default/b', fence: 1 }]);
  t.is(assignmentDelta(snapshot({ tasks: [one], volumes }), n1.id, full?.sent ?? NOTHING_SENT, none), undefined);
  const delta = assignmentDelta(snapshot({ tasks: [one], volumes: volumes.slice(1) }), n1.id, full?.sent ?? NOTHING_SENT, none);
  t.like(delta?.assignment, { kind: 'delta', upserts: [], removals: [], volumeRemovals: [{ name: 'default/a', fence: 1 }] });
  const newer = assignmentDelta(snapshot({ tasks: [one], volumes: volumes.map(each => ({ ...each, fence: 2 })) }), n1.id, full?.sent ?? NOTHING_SENT, none);
  t.deepEqual(newer?.assignment.volumeRemovals.map(({ fence }) => fence), [2, 2], 'also when newer data was given up');
});
