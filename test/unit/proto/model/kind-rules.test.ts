import test from 'ava';
import { checkKind } from '#model/kind-rules.ts';
import type { ServiceSpec } from '#model/service.ts';
import { serviceOf } from '../../../support/manifest.ts';

const refused = test.macro({
  exec(t, spec: Partial<ServiceSpec>, path: string, message: RegExp) {
    const violations = checkKind({ ...serviceOf({}), ...spec }, 'web');
    t.deepEqual(violations.map(violation => violation.path), [path]);
    t.regex(violations[0]?.message ?? '', message);
  },
  title: (name = '') => `refused: ${name}`,
});

const job: Partial<ServiceSpec> = { ...serviceOf({ kind: 'job' }) };
const cron: ServiceSpec = {
  ...serviceOf({ kind: 'job' }), kind: 'cron',
  cron: { schedule: '@daily', timezone: 'UTC', concurrency: 'allow', keptSucceeded: 3, keptFailed: 1, isSuspended: false },
};
const timed = (change: Partial<NonNullable<ServiceSpec['cron']>>): Partial<ServiceSpec> => ({ ...cron, ...(cron.cron === undefined ? {} : { cron: { ...cron.cron, ...change } }) });

test('what is right has nothing against it', t => {
  t.deepEqual([serviceOf({}), job as ServiceSpec, cron].flatMap(spec => checkKind(spec, 'web')), []);
});

test('a job that is restarted for ever', refused, { ...job, container: { ...cron.container, restart: { ...cron.container.restart, mode: 'always' } } }, 'web.restart.policy', /on-failure or never/);
test('no time to run', refused, { ...job, job: { retries: 0, timeoutMs: 0 } }, 'web.job.timeout', /more than 0/);
test('a negative number of retries', refused, { ...job, job: { retries: -1 } }, 'web.job.retries', /at least 0/);
test('nothing at once', refused, { ...job, job: { retries: 0, parallelism: 0 } }, 'web.job.parallelism', /at least 1/);
test('kept for longer than a year', refused, { ...job, job: { retries: 0, keepMs: 1e12 } }, 'web.job.keep', /at most/);
test('a job part of a service', refused, { job: { retries: 0 } }, 'web.job', /job or cron/);
test('a schedule of a service', refused, { ...(cron.cron === undefined ? {} : { cron: cron.cron }) }, 'web.schedule', /kind cron/);
test('a schedule that cannot be', refused, timed({ schedule: '0 0 30 2 *' }), 'web.schedule', /'0 0 30 2 \*' has no time/);
test('a time zone that is none', refused, timed({ timezone: 'Paris' }), 'web.timezone', /'Paris' is not a time zone/);
test('a deadline within the leader\'s pace', refused, timed({ startingDeadlineMs: 10 }), 'web.starting_deadline', /at least 1000/);
test('a history that is no number', refused, timed({ keptFailed: -1 }), 'web.history.failed', /at least 0/);
test('a name without room for those of its runs', refused, { ...cron, name: 'n'.repeat(51) }, 'web', /at most 50/);
test('autoscaling, whoever asks for it', refused, { autoscale: { min: 1, max: 5, cpuPercent: 50, stabilizationMs: 0 } }, 'web.autoscale', /not available in this version/);
