import test from 'ava';
import type { Assignment } from '#model/assignment.ts';
import { parseNodeId } from '#model/ids.ts';
import type { Task } from '#model/task.ts';
import { AssignmentKeeper } from '../../../agent/assignment-flow.ts';
import type { AssignmentSession } from '../../../agent/assignment-flow.ts';
import { EMPTY_DESIRED_SET } from '../../../agent/assignment.ts';
import type { DesiredSet } from '../../../agent/assignment.ts';
import { ReportBook } from '../../../agent/task/report-book.ts';
import { service, task, taskId } from '../../support/builders.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const GRACE_MS = 60_000;
const A = task(service(), 'n1', { id: taskId('a') });
const B = task(service(), 'n1', { id: taskId('b') });
const C = task(service(), 'n1', { id: taskId('c') });

function full(generation: number, ...tasks: readonly Task[]): Assignment {
  return { kind: 'full', epoch: 1, generation, tasks, contents: [], volumeRemovals: [] };
}

/** B12: what a full set does not list. */
class Rig {
  readonly clock = new FakeClock();
  readonly kept: DesiredSet[] = [];
  readonly keeper: AssignmentKeeper;
  #ending = new AbortController();

  constructor() {
    this.keeper = new AssignmentKeeper({
      facts: { bootId: 'b', node: parseNodeId('n1') }, held: { save: () => Promise.resolve(), load: () => Promise.resolve(undefined) }, reports: new ReportBook(), clock: this.clock,
      log: silentLogger, random: () => 0, onSaving: () => undefined, onKept: set => { this.kept.push(set); }, onWaiting: () => undefined, graceMs: () => GRACE_MS,
    }, EMPTY_DESIRED_SET);
  }

  async take(...messages: readonly Assignment[]): Promise<void> {
    const session: AssignmentSession = { signal: this.#ending.signal, inOrder: async work => { await work(); }, end: () => undefined };
    for (const message of messages) await this.keeper.take(message, session);
    await settle();
  }

  async pass(durationMs: number): Promise<void> {
    await this.clock.advance(durationMs);
    await settle();
  }

  /** The session ends; what is taken next comes in another. */
  cut(): void {
    this.#ending.abort(new Error('cut'));
    this.#ending = new AbortController();
    this.keeper.dropUnsaved();
  }

  get tasks(): readonly string[] {
    return [...this.keeper.held.tasks.keys()].sort();
  }
}

test('it runs on for a grace, then it goes', async t => {
  const rig = new Rig();
  await rig.take(full(1, A, B), full(2, A));
  t.deepEqual(rig.tasks, [A.id, B.id].sort());
  t.is(rig.keeper.held.generation, 2);
  await rig.pass(GRACE_MS - 1);
  t.deepEqual(rig.tasks, [A.id, B.id].sort());
  await rig.pass(1);
  t.deepEqual(rig.tasks, [A.id]);
  t.deepEqual([...rig.kept.at(-1)?.tasks.keys() ?? []], [A.id]);
});

test('what an old full set does not list says nothing', async t => {
  const rig = new Rig();
  const added: Assignment = { kind: 'delta', epoch: 1, from: 2, generation: 3, upserts: [C], removals: [], contents: [], volumeRemovals: [] };
  await rig.take(full(1, A, B), full(2, A), added, full(2, A));
  await rig.pass(GRACE_MS * 2);
  t.deepEqual(rig.tasks, [A.id, C.id].sort());
});

test('one grace, however many sessions', async t => {
  const rig = new Rig();
  await rig.take(full(1, A, B), full(2, A));
  await rig.pass(GRACE_MS / 2);
  rig.cut();
  await rig.take(full(2, A));
  t.deepEqual(rig.tasks, [A.id, B.id].sort());
  await rig.pass(GRACE_MS / 2);
  t.deepEqual(rig.tasks, [A.id]);
});

test('none once it was longer away', async t => {
  const rig = new Rig();
  await rig.take(full(1, A, B), full(2, A));
  rig.cut();
  await rig.pass(GRACE_MS);
  t.deepEqual(rig.tasks, [A.id, B.id].sort(), 'without a controller all goes on');
  await rig.take(full(3, A));
  t.deepEqual(rig.tasks, [A.id]);
});

test('a task that is named meanwhile stays, and one that was told to stop goes at once', async t => {
  const rig = new Rig();
  await rig.take(full(1, A, B), full(2, A), { kind: 'delta', epoch: 1, from: 2, generation: 3, upserts: [B], removals: [], contents: [], volumeRemovals: [] });
  await rig.pass(2 * GRACE_MS);
  t.deepEqual(rig.tasks, [A.id, B.id].sort());
  await rig.take(full(4, A, { ...B, desired: 'stop' }), full(5, A));
  t.deepEqual(rig.tasks, [A.id]);
});

test('a stateful task has none: its ordinal may be another node\'s', async t => {
  const rig = new Rig();
  await rig.take(full(1, A, { ...B, kind: 'stateful' }), full(2, A));
  t.deepEqual(rig.tasks, [A.id]);
});

test('a node that was removed has none', async t => {
  const rig = new Rig();
  await rig.take(full(1, A, B), full(2, A));
  await rig.keeper.empty();
  t.deepEqual(rig.tasks, []);
  await rig.pass(GRACE_MS);
  t.deepEqual(rig.tasks, []);
});
