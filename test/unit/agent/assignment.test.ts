import test from 'ava';
import type { Assignment, FullAssignment } from '#model/assignment.ts';
import type { Task } from '#model/task.ts';
import { contentKeysOf, EMPTY_DESIRED_SET, foldAssignment, unlistedTasks } from '../../../agent/assignment.ts';
import type { DesiredSet } from '../../../agent/assignment.ts';
import { container, service, task, taskId } from '../../support/builders.ts';

const CONFIG = { key: 'config/aa', content: new Uint8Array([1]) };
const mounts = { configs: [{ source: 'motd', target: '/etc/motd', mode: 0o444 }] };
const A = task(service(), 'n1', { id: taskId('a'), container: container(mounts), pins: { configs: [{ name: 'motd', sha256: 'aa' }], secrets: [] } });
const B = task(service(), 'n1', { id: taskId('b') });

function held(epoch: number, generation: number, ...tasks: readonly Task[]): DesiredSet {
  return { ...EMPTY_DESIRED_SET, epoch, generation, tasks: new Map(tasks.map(one => [one.id, one])) };
}

function full(epoch: number, generation: number, ...tasks: readonly Task[]): FullAssignment {
  return { kind: 'full', epoch, generation, tasks, contents: [CONFIG], volumeRemovals: [] };
}

function delta(from: number, generation: number, options: Partial<Assignment & { kind: 'delta' }> = {}): Assignment {
  return { kind: 'delta', epoch: 1, from, generation, upserts: [], removals: [], contents: [], volumeRemovals: [], ...options };
}

const folds = test.macro({
  exec(t, before: DesiredSet, message: Assignment, expected: 'applied' | 'stale' | 'gap') {
    t.is(foldAssignment(before, message).kind, expected);
  },
  title: (name = '') => `foldAssignment: ${name}`,
});

test('the first full set', folds, EMPTY_DESIRED_SET, full(1, 1), 'applied');
test('the same pair again, as a new session sends it', folds, held(1, 5), full(1, 5), 'applied');
test('a full set of an older generation', folds, held(1, 5), full(1, 4), 'stale');
test('a full set of an older epoch, however new its generation', folds, held(2, 5), full(1, 9), 'stale');
test('a newer epoch with an older generation', folds, held(1, 5), full(2, 4), 'applied');
test('a delta that follows', folds, held(1, 5), delta(5, 6), 'applied');
test('a delta that skips one', folds, held(1, 5), delta(6, 7), 'gap');
test('a delta that follows in the same generation: a stop that was held back', folds, held(1, 5), delta(5, 5), 'applied');
test('the same delta twice', folds, held(1, 6), delta(5, 6), 'stale');
test('a delta of an older epoch', folds, held(2, 5), delta(5, 6), 'stale');

test('a delta adds, replaces and removes', t => {
  const folding = foldAssignment(held(1, 5, A, B), delta(5, 6, { upserts: [{ ...B, desired: 'stop' }], removals: [A.id] }));
  t.true(folding.kind === 'applied' && folding.set.tasks.get(B.id)?.desired === 'stop' && !folding.set.tasks.has(A.id));
});

test('contents stay as long as a task needs them', t => {
  const first = foldAssignment(EMPTY_DESIRED_SET, full(1, 1, A));
  t.true(first.kind === 'applied' && first.set.contents.has(CONFIG.key));
  const second = first.kind === 'applied' ? foldAssignment(first.set, delta(1, 2, { upserts: [B] })) : first;
  t.true(second.kind === 'applied' && second.set.contents.has(CONFIG.key));
  const third = second.kind === 'applied' ? foldAssignment(second.set, delta(2, 3, { removals: [A.id] })) : second;
  t.true(third.kind === 'applied' && !third.set.contents.has(CONFIG.key));
});

test('a task that the controller cannot read stays as it is, and is not unlisted', t => {
  const message = { ...full(1, 6, B), keptTasks: [A.id, taskId('gone')] };
  const folding = foldAssignment(held(1, 5, A, B), message);
  t.deepEqual(folding.kind === 'applied' ? [...folding.set.tasks.values()] : [], [A, B]);
  t.deepEqual(unlistedTasks(held(1, 5, A, B), message), []);
});

test('a task that runs stays as it is when a newer controller writes values that are not known here', t => {
  const newer: Task = { ...A, desired: 'unknown-9' as never, notUnderstood: ['desired state 9'] };
  for (const message of [full(1, 6, newer), delta(5, 6, { upserts: [newer] })]) {
    const folding = foldAssignment(held(1, 5, A), message);
    t.deepEqual(folding.kind === 'applied' ? folding.set.tasks.get(A.id) : undefined, A);
  }
  const first = foldAssignment(held(1, 5), full(1, 6, newer));
  t.deepEqual(first.kind === 'applied' ? first.set.tasks.get(A.id) : undefined, newer, 'which the start refuses');
});

test('unlistedTasks: what is to run, is not listed, and may have two copies', t => {
  const exclusive = { ...B, stopAfterMs: 30_000 };
  t.deepEqual(unlistedTasks(held(1, 1, A, exclusive), full(1, 2)), [A.id]);
  t.deepEqual(unlistedTasks(held(1, 1, A, B), full(1, 2, B)), [A.id]);
});

test('contentKeysOf: only what is mounted, by the pins', t => {
  t.deepEqual(contentKeysOf(A), { configs: ['config/aa'], secrets: [] });
  t.deepEqual(contentKeysOf({ ...A, container: container() }), { configs: [], secrets: [] });
});

test('the volumes to remove are those of the newest message', t => {
  const first = foldAssignment(EMPTY_DESIRED_SET, { ...full(1, 1), volumeRemovals: [{ name: 'default/a', fence: 1 }] });
  t.true(first.kind === 'applied' && first.set.volumeRemovals[0]?.name === 'default/a');
  const second = first.kind === 'applied' ? foldAssignment(first.set, delta(1, 2, { volumeRemovals: [{ name: 'default/b', fence: 1 }] })) : first;
  t.true(second.kind === 'applied' && second.set.volumeRemovals.length === 1 && second.set.volumeRemovals[0]?.name === 'default/b');
});
