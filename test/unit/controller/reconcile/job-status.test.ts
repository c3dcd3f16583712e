import test from 'ava';
import type { JobStatus } from '#model/app.ts';
import { jobDone, jobsOf } from '../../../../controller/reconcile/job-status.ts';
import { node, service, serviceStatus, status, T0, task } from '../../../support/builders.ts';

const report = service({ name: 'report', kind: 'job', replicas: 2, templateHash: 'now' });
const done = (templateHash: string, completions = 2): JobStatus => ({ templateHash, completions, endedAtMs: T0 });
const rows = [0, 1].map(slot => {
  const made = task(report, 'n1', { slot });
  return { task: made, status: status(made, { phase: 'complete', finishedAtMs: T0 + 1_000 * (slot + 1) }), node: node('n1') };
});
const state = (known: Parameters<typeof serviceStatus>[1] = {}, of = report) => ({ service: of, rows, status: serviceStatus(of, known) });

test('a job that ended well is remembered with the time of its last task', t => {
  t.deepEqual(jobsOf(state(), true, T0 + 9_000), { job: { templateHash: 'now', completions: 2, endedAtMs: T0 + 2_000 } });
});

test('what is remembered already stays as it is', t => {
  t.deepEqual(jobsOf(state({ job: done('now') }), true, T0 + 9_000), { job: done('now') });
});

test('while it is asked for more, what was done stays done', t => {
  const more = service({ name: 'report', kind: 'job', replicas: 3, templateHash: 'now' });
  t.deepEqual(jobsOf(state({ job: done('now') }, more), false, T0), { job: done('now') });
  t.is(jobsOf(state({ job: done('now') }, more), true, T0).job?.completions, 3);
});

test('of another template it is remembered beside, and is the job again when the service comes back to it', t => {
  t.deepEqual(jobsOf(state({ job: done('before') }), false, T0), { earlierJobs: [done('before')] });
  t.deepEqual(jobsOf(state({ job: done('before'), earlierJobs: [done('now')] }), false, T0), { job: done('now'), earlierJobs: [done('before')] });
  t.deepEqual(jobDone(report, serviceStatus(report, { earlierJobs: [done('now', 1)] })), done('now', 1));
  t.is(jobDone(report, undefined), undefined);
});

test('the ten newest are remembered', t => {
  const many = Array.from({ length: 10 }, (_, index) => done(`old-${String(index)}`));
  t.deepEqual(jobsOf(state({ job: done('before'), earlierJobs: many }), false, T0).earlierJobs?.map(one => one.templateHash), ['before', ...many.slice(0, 9).map(one => one.templateHash)]);
});

test('a service that is no job has none', t => {
  t.deepEqual(jobsOf(state({ job: done('now') }, service({ templateHash: 'now' })), true, T0), {});
});
