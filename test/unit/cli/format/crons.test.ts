import test from 'ava';
import { describeTimes, runItem, runsOfCron, runTable } from '../../../../cli/format/crons.ts';
import { formatTable } from '../../../../cli/format/table.ts';
import type { Service } from '#model/app.ts';
import type { TaskView } from '#model/ports.ts';
import { service, serviceStatus, status, task, T0 } from '../../../support/builders.ts';
import { serviceView } from '../../../support/cluster-view.ts';

const HOUR_MS = 3_600_000;
const SPEC = { schedule: '@daily', timezone: 'UTC', concurrency: 'allow', keptSucceeded: 3, keptFailed: 1, isSuspended: false } as const;
const COUNTS = { running: 0, healthy: 0, wanted: 0 };
const cron = service({ name: 'report', kind: 'cron', cron: SPEC });
const timed = (handled: object, of = cron) => ({ ...serviceView(of, COUNTS), status: serviceStatus(of, { cron: { scheduleKey: '', handledUntilMs: 0, ...handled } }) });
const run = (name: string, hours: number, state: 'settled' | 'progressing' | 'failed', isManual = false) => serviceView(
  { ...service({ name, kind: 'job', replicas: 1 }), cronRun: { cron: 'report', scheduledAtMs: T0 + hours * HOUR_MS, isManual }, createdAtMs: T0 + hours * HOUR_MS }, COUNTS, state, state === 'failed' ? 'job failed: 4 attempts used up' : '');

function completeTask(of: Service): TaskView {
  const made = task(of, 'n1', {});
  return { task: made, status: status(made, { phase: 'complete' }), state: 'complete' };
}

test('when a cron ran and will run', t => {
  t.is(describeTimes(timed({ nextAtMs: T0 + 3 * HOUR_MS, lastScheduledAtMs: T0 - 21 * HOUR_MS }), T0), 'next in 3h, last 21h ago');
  t.is(describeTimes(timed({ nextAtMs: T0 + 60_000 }), T0), 'next in 1m, no run yet');
  t.is(describeTimes(timed({}, service({ name: 'report', kind: 'cron', cron: { ...SPEC, isSuspended: true } })), T0), 'suspended, no run yet');
  t.is(describeTimes(serviceView(service(), COUNTS), T0), undefined);
});

test('its runs, newest first, as a person reads them', t => {
  const manual = run('report-run-1', 2, 'progressing', true);
  const runs = runsOfCron(serviceView(cron, COUNTS), [run('report-1', 0, 'failed'), manual, run('report-2', 1, 'settled'), serviceView(service(), COUNTS)]);
  const lines = formatTable(runTable(runs, [completeTask(runs[1]!.service)], T0 + 3 * HOUR_MS)).split('\n').map(line => line.split(/ {2,}/).join('|').trim());
  t.deepEqual(lines.slice(1, 4), [
    'shop/report-run-1|active|0/1|manual|1h ago|-', 'shop/report-2|succeeded|1/1|2026-01-01T01:00:00.000Z|2h ago|-',
    'shop/report-1|failed|0/1|2026-01-01T00:00:00.000Z|3h ago|job failed: 4 attempts used up',
  ]);
  t.deepEqual(runItem(manual), { name: 'report-run-1', state: 'active', scheduledAt: '2026-01-01T02:00:00.000Z', manual: true });
});
