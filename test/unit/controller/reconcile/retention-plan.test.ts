import test from 'ava';
import { planRetention } from '../../../../controller/reconcile/retention-plan.ts';
import type { TaskRow } from '../../../../controller/reconcile/task-row.ts';
import type { Service } from '#model/app.ts';
import { T0, failed, node, service, serviceStatus, status, task, taskId } from '../../../support/builders.ts';

const web = service();
const MINUTE_MS = 60_000;
/** An ended task of slot 0, this many minutes ago; older ones have lower fences. */
function ended(id: string, minutes: number, of: Service = web): TaskRow {
  const made = task(of, 'n1', { id: taskId(id), fence: 1_000 - minutes });
  return { task: made, status: failed(made, { finishedAtMs: T0 - minutes * MINUTE_MS }), node: node('n1') };
}
function live(fence: number): TaskRow {
  const made = task(web, 'n1', { id: taskId('run'), fence });
  return { task: made, status: status(made), node: node('n1') };
}

const keeps = test.macro({
  exec(t, rows: readonly TaskRow[], expected: readonly string[], options: { readonly of?: Service; readonly isDeleting?: boolean; readonly wanted?: readonly number[] } = {}) {
    const sorted = [...rows].sort((left, right) => left.task.fence - right.task.fence);
    const { removals } = planRetention({ service: options.of ?? web, rows: sorted }, options.isDeleting ?? false, new Set(options.wanted ?? [0]), T0);
    t.deepEqual(removals.map(one => ('taskId' in one ? `${one.taskId.replace(/a+$/, '')} ${'reason' in one ? one.reason : ''}` : '')), expected);
  },
  title: (name = '') => `planRetention: ${name}`,
});
test('two of a slot stay, the third goes', keeps, [live(2_000), ended('x', 1), ended('y', 2), ended('z', 3)], ['z retention']);
test('at ten minutes they go', keeps, [live(2_000), ended('x', 9), ended('y', 10)], ['y retention']);
test('the newest stays while nothing follows it', keeps, [ended('x', 60), ended('y', 61)], ['y retention']);
test('also when an older task still runs: it says that the new one failed', keeps, [live(1), ended('x', 60)], []);
test('of a slot that is not wanted it goes', keeps, [ended('x', 60)], ['x retention'], { wanted: [] });
const db = service({ kind: 'stateful', container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] } });
test('unless it says where the data is', keeps, [ended('x', 60, db)], [], { of: db, wanted: [] });
test('of a deleted service every ended task goes', keeps, [live(2_000), ended('x', 1)], ['x service-deleted'], { isDeleting: true });
test('a task whose node was removed goes, ended or not', t => {
  const { node: _, ...orphan } = live(1);
  t.deepEqual(planRetention({ service: web, rows: [orphan] }, false, new Set([0]), T0).removals, [{ kind: 'remove-task', taskId: orphan.task.id, reason: 'node-removed' }]);
});
test('wakes when the next record is ten minutes old', t => {
  t.is(planRetention({ service: web, rows: [ended('y', 4), ended('x', 1), live(2_000)] }, false, new Set([0]), T0).wakeAtMs, T0 + 6 * MINUTE_MS);
});

test('a job that ended well keeps its last tasks for good, or for as long as it says', t => {
  const gone = (keepMs: number | undefined, minutes: number): number => {
    const of = service({ kind: 'job', job: { retries: 0, ...(keepMs === undefined ? {} : { keepMs }) } });
    const row = ended('x', minutes, of);
    const state = { service: of, rows: [row], status: serviceStatus(of, { job: { templateHash: of.templateHash, completions: 1, endedAtMs: T0 - minutes * MINUTE_MS } }) };
    return planRetention(state, false, new Set(), T0).removals.length;
  };
  t.deepEqual([gone(undefined, 999), gone(60 * MINUTE_MS, 59), gone(60 * MINUTE_MS, 60)], [0, 0, 1]);
});

test('wakes when the tasks of a job are to be forgotten', t => {
  const of = service({ kind: 'job', job: { retries: 0, keepMs: 60 * MINUTE_MS } });
  const status = serviceStatus(of, { job: { templateHash: of.templateHash, completions: 1, endedAtMs: T0 - MINUTE_MS } });
  t.is(planRetention({ service: of, rows: [ended('x', 1, of)], status }, false, new Set(), T0).wakeAtMs, T0 + 59 * MINUTE_MS);
});

test('what ended well of a job stays while the job goes on, however many failed since, and where its node was removed', t => {
  const of = service({ kind: 'job' });
  const { node: gone, ...row } = ended('d', 60, of);
  const done = { ...row, status: status(row.task, { phase: 'complete', finishedAtMs: T0 - 60 * MINUTE_MS }) };
  const failures = [ended('x', 3, of), ended('y', 2, of), ended('z', 1, of)];
  const removed = (rows: readonly TaskRow[], wanted: readonly number[]): readonly string[] =>
    planRetention({ service: of, rows }, false, new Set(wanted), T0).removals.flatMap(one => ('taskId' in one ? [one.taskId.charAt(0)] : []));
  t.deepEqual(removed([{ ...done, node: gone! }, ...failures], [0]), ['x']);
  t.deepEqual([removed([done], [0]), removed([done], [])], [[], ['d']]);
});

test('of several that ended well in one slot of a job the newest says so for all', t => {
  const of = service({ kind: 'job' });
  const done = (id: string, minutes: number): TaskRow => {
    const row = ended(id, minutes, of);
    return { ...row, status: status(row.task, { phase: 'complete', finishedAtMs: T0 - minutes * MINUTE_MS }) };
  };
  const { node: _, ...orphan } = done('d', 90);
  const { removals } = planRetention({ service: of, rows: [orphan, done('e', 70), done('f', 60), ended('x', 50, of)] }, false, new Set([0]), T0);
  t.deepEqual(removals.flatMap(one => ('taskId' in one && 'reason' in one ? [`${one.taskId.charAt(0)} ${one.reason}`] : [])), ['d node-removed', 'e retention']);
});
