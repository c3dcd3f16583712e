import test from 'ava';
import { nextCrashLoop, waitUntilMs } from '../../../../controller/reconcile/crash-backoff.ts';
import type { TaskRow } from '../../../../controller/reconcile/task-row.ts';
import type { CrashLoop } from '#model/app.ts';
import { T0, failed, node, service, status, task, taskId } from '../../../support/builders.ts';

const web = service();
const one = task(web, 'n1');
const dead: TaskRow = { task: one, status: failed(one), node: node('n1') };
const loop = (failures: number, notBeforeMs: number, id = one.id): CrashLoop => ({ slot: 0, failures, notBeforeMs, task: id });
const earlier = taskId('zz');

const counts = test.macro({
  exec(t, rows: readonly TaskRow[], before: CrashLoop | undefined, expected: CrashLoop | undefined) {
    t.deepEqual(nextCrashLoop(rows, web, before, T0), expected);
  },
  title: (name = '') => `nextCrashLoop: ${name}`,
});
test('the first failure waits 10 s', counts, [dead], undefined, loop(1, T0 + 10_000));
test('a failure is counted once', counts, [dead], loop(1, T0 + 1), loop(1, T0 + 1));
test('the next one waits twice as long', counts, [dead], loop(1, T0, earlier), loop(2, T0 + 20_000));
test('the fifth waits 160 s', counts, [dead], loop(4, T0, earlier), loop(5, T0 + 160_000));
test('never longer than 5 minutes', counts, [dead], loop(50, T0, earlier), loop(51, T0 + 300_000));
test('a task that was asked to stop did not fail', counts, [{ ...dead, task: { ...one, desired: 'stop' } }], undefined, undefined);
test('one that ended well although it is always wanted, did', counts, [{ ...dead, status: status(one, { phase: 'complete' }) }], undefined, loop(1, T0 + 10_000));
const alive = (createdAtMs: number): TaskRow => ({ task: { ...one, createdAtMs }, status: status(one), node: node('n1') });
test('a new task keeps the count', counts, [alive(T0 - 299_999)], loop(3, T0, earlier), loop(3, T0, earlier));
test('one that served for 5 minutes clears it', counts, [alive(T0 - 300_000)], loop(3, T0, earlier), undefined);
test('another template starts from nothing', counts, [{ ...dead, task: { ...one, templateHash: 'old' } }], loop(3, T0), undefined);
test('no task, no loop', counts, [], loop(3, T0), undefined);

const waits = test.macro({
  exec(t, notBeforeMs: number, expected: number | undefined) {
    t.is(waitUntilMs(loop(1, notBeforeMs), T0), expected);
  },
  title: (name = '') => `waitUntilMs: ${name}`,
});
test('until the time', waits, T0 + 1, T0 + 1);
test('not any longer at the time', waits, T0, undefined);
test('H2: a clock that was set back an hour does not wait an hour', waits, T0 + 3_600_000, undefined);
