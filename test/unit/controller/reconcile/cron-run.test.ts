import test from 'ava';
import { cronRunService, manualRunName, runsOf, scheduledRunName } from '../../../../controller/reconcile/cron-run.ts';
import { service, snapshot, T0 } from '../../../support/builders.ts';

const cron = service({
  name: 'report', kind: 'cron', replicas: 2, cron: { schedule: '@daily', timezone: 'UTC', concurrency: 'allow', keptSucceeded: 3, keptFailed: 1, isSuspended: false },
});

test('a run is a job with the cron\'s spec, a name and a time of its own', t => {
  const run = cronRunService(cron, 'report-1', { cron: 'report', scheduledAtMs: T0, isManual: false }, T0 + 5);
  t.like(run, { id: 'default/shop/report-1', name: 'report-1', virtualIp: '', createdAtMs: T0 + 5, cronRun: { cron: 'report', scheduledAtMs: T0, isManual: false } });
  t.like(run.spec, { kind: 'job', name: 'report-1', replicas: 2, job: { retries: 3 } });
  t.false('cron' in run.spec);
});

test('one time has one name, and one request', t => {
  t.is(scheduledRunName('report', T0), `report-${String(T0 / 60_000)}`);
  t.is(scheduledRunName('report', T0 + 59_999), scheduledRunName('report', T0));
  t.is(manualRunName('report', '3fa9c2d1-0000-4000-8000-000000000000'), 'report-run-3fa9c2d1');
});

test('the runs of a cron are those of its App alone, in the order of their times', t => {
  const run = (name: string, app: string, scheduledAtMs: number) => ({ ...service({ name, app, kind: 'job' }), cronRun: { cron: 'report', scheduledAtMs, isManual: false } });
  const all = [run('report-2', 'shop', T0 + 1), run('report-1', 'shop', T0), run('report-1', 'other', T0), service({ name: 'web' }), cron];
  t.deepEqual(runsOf(snapshot({ services: all }), cron).map(one => one.id), ['default/shop/report-1', 'default/shop/report-2']);
});
