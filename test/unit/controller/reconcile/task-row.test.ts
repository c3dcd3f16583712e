import test from 'ava';
import { hasFailed, isCutOff, isDone, isLive, isServing, isSlotDone, mayRun, mayStay, serviceState } from '../../../../controller/reconcile/task-row.ts';
import type { TaskRow } from '../../../../controller/reconcile/task-row.ts';
import type { ServiceOptions, NodeOptions } from '../../../support/builders.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { node, service, snapshot, status, T0, task, taskId } from '../../../support/builders.ts';

const web = service();
function row(options: { readonly task?: Partial<Task>; readonly status?: Partial<TaskStatus>; readonly node?: NodeOptions } = {}): TaskRow {
  const made = task(web, 'n1', options.task);
  return { task: made, status: status(made, options.status), node: node('n1', options.node) };
}
const ended = { phase: 'failed' } as const;

const says = test.macro({
  exec(t, claim: (row: TaskRow) => boolean, yes: readonly TaskRow[], no: readonly TaskRow[]) {
    t.deepEqual(yes.map(claim), yes.map(() => true));
    t.deepEqual(no.map(claim), no.map(() => false));
  },
  title: (name = '') => name,
});
const { status: _status, ...unreported } = row();
const { node: _node, ...orphan } = row();
test('live: wanted, not ended, its node there', says, isLive, [row(), unreported, row({ node: { condition: 'lost' } })], [orphan, row({ status: ended }), row({ task: { desired: 'stop' } })]);
test('may run: not ended, wanted or not', says, mayRun, [row(), unreported, row({ task: { desired: 'stop' } }), row({ node: { condition: 'lost' } })], [orphan, row({ status: ended })]);
test('serving: live, healthy, not on a lost node', says, isServing, [row(), row({ node: { condition: 'silent' } })], [unreported, row({ node: { condition: 'lost' } }), row({ status: { health: 'starting' } }), row({ task: { desired: 'stop' } })]);
test('cut off: silent or lost', says, isCutOff, [row({ node: { condition: 'silent' } }), row({ node: { condition: 'lost' } })], [row(), orphan]);
test('may stay: up to date, its node not draining', says, one => mayStay(one, web), [row(), row({ node: { availability: 'cordoned' } })], [row({ node: { availability: 'draining' } }), row({ task: { templateHash: 'old' } })]);
test('failed: ended badly, unasked', says, hasFailed, [row({ status: ended })], [row(), row({ status: { phase: 'complete' } }), row({ status: ended, task: { desired: 'stop' } })]);

const done = test.macro({
  exec(t, of: ServiceOptions, complete: boolean, failure: boolean) {
    const current = service(of);
    t.is(isDone(row({ status: { phase: 'complete' } }), current), complete);
    t.is(isDone(row({ status: ended }), current), failure);
    t.false(isDone(row(), current));
    t.false(isDone(row({ status: { phase: 'complete' }, task: { desired: 'stop' } }), current));
  },
  title: (name = '') => `done: ${name}`,
});
const restart = (mode: 'always' | 'on-failure' | 'never') => ({ container: { restart: { mode, maxAttempts: 1, windowMs: 1, delayMs: 1 } } });
test('restart always: never', done, restart('always'), false, false);
test('restart on-failure: when it completed', done, restart('on-failure'), true, false);
test('restart never: however it ended', done, restart('never'), true, true);
test('a job: only when it completed', done, { kind: 'job', ...restart('never') }, true, false);

test('rows come by slot, then fence', t => {
  const [late, early, other] = [task(web, 'n1', { id: taskId('a'), fence: 9 }), task(web, 'n1', { id: taskId('b'), fence: 1 }), task(web, 'n1', { id: taskId('c'), slot: 1, fence: 0 })];
  t.deepEqual(serviceState(snapshot({ services: [web], tasks: [other, late, early] }), web.id)?.rows.map(one => one.task.id), [early.id, late.id, other.id]);
  t.is(serviceState(snapshot(), web.id), undefined);
});

test('a job that ended well by itself is done, also where a stop was on its way; one that the stop ended is not', t => {
  const current = service({ kind: 'job' });
  const exit = { attempt: 1, code: 0, finishedAtMs: T0 };
  const ended = (reason: string): ReturnType<typeof isDone> =>
    isDone({ task: task(current, 'n1', { desired: 'stop' }), status: status(task(current, 'n1'), { phase: 'complete', lastExit: { ...exit, reason } }), node: node('n1') }, current);
  t.true(ended('exited'));
  t.false(ended('stopped'));
});

test('a slot of a job is done once any of its tasks ended well; of another service its newest task says so', t => {
  const slotDone = (kind: 'job' | 'service', ...phases: readonly TaskStatus['phase'][]): boolean => {
    const current = service({ kind, ...restart('on-failure') });
    return isSlotDone(phases.map((phase, fence) => {
      const made = task(current, 'n1', { id: taskId(`s${'ab'.charAt(fence)}`), fence });
      return { task: made, status: status(made, { phase }), node: node('n1') };
    }), current);
  };
  t.deepEqual([slotDone('job', 'complete', 'failed'), slotDone('job', 'failed', 'complete'), slotDone('job', 'failed', 'failed')], [true, true, false]);
  t.deepEqual([slotDone('service', 'complete', 'failed'), slotDone('service', 'failed', 'complete')], [false, true]);
});
