import test from 'ava';
import { checkKind } from '#model/kind-rules.ts';
import type { AutoscaleSpec, ServiceSpec } from '#model/service.ts';
import { container } from '../../../support/builders.ts';
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

const SCALE = { min: 1, max: 5, cpuPercent: 50, stabilizationMs: 0, upStabilizationMs: 0 };
const METRIC = { query: 'sum(queue_length)', target: 10 };
const scaled = (change: Partial<AutoscaleSpec> = {}, more: Partial<ServiceSpec> = {}): Partial<ServiceSpec> => ({ replicas: 1, autoscale: { ...SCALE, ...change }, ...more });
const { cpuPercent: _, ...BY_NOTHING } = SCALE;

test('autoscaling within its limits is allowed, to none by a metric', t => {
  const good = [scaled(), scaled({ min: 0, metric: METRIC }, { replicas: 0 }), scaled({ memoryPercent: 1_000, max: 10_000 }), scaled({ stabilizationMs: 3_600_000, upStabilizationMs: 3_600_000 }), scaled({}, { kind: 'stateful' })];
  t.deepEqual(good.flatMap(spec => checkKind({ ...serviceOf({}), ...spec }, 'web')), []);
});

test('a job that scales', refused, { ...job, ...scaled() }, 'web.autoscale', /kind job/);
test('a global service that scales', refused, scaled({}, { kind: 'global', replicas: 0 }), 'web.autoscale', /kind global/);
test('nothing at least, without a metric', refused, scaled({ min: 0 }, { replicas: 0 }), 'web.autoscale.min', /at least 1 without a metric/);
test('less at most than at least', refused, scaled({ min: 3, max: 2 }, { replicas: 3 }), 'web.autoscale.max', /at least 3/);
test('nothing at most', refused, scaled({ min: 0, max: 0, metric: METRIC }, { replicas: 0 }), 'web.autoscale.max', /at least 1/);
test('too many at most', refused, scaled({ max: 10_001 }), 'web.autoscale.max', /at most 10000/);
test('a beginning beyond the limits', refused, scaled({}, { replicas: 6 }), 'web.replicas', /1 to 5/);
test('nothing to scale by', refused, { replicas: 1, autoscale: BY_NOTHING }, 'web.autoscale', /nothing to scale by/);
test('a share of nothing', refused, scaled({ cpuPercent: 0 }), 'web.autoscale.cpu', /at least 1/);
test('a share without a request', refused, scaled({}, { container: container({ requests: { milliCpu: 0, memoryBytes: 1 } }) }), 'web.autoscale.cpu', /share of resources.requests.cpus, which is 0/);
test('a metric for nothing', refused, scaled({ metric: { ...METRIC, target: 0 } }), 'web.autoscale.metric.target', /more than 0, got 0/);
test('an endless query', refused, scaled({ metric: { ...METRIC, query: 'q'.repeat(4_097) } }), 'web.autoscale.metric.query', /at most 4096/);
test('an empty query', refused, scaled({ metric: { ...METRIC, query: ' ' } }), 'web.autoscale.metric.query', /required/);
test('more than an hour to come down', refused, scaled({ stabilizationMs: 3_600_001 }), 'web.autoscale.stabilization', /at most 3600000/);
test('more than an hour to go up', refused, scaled({ upStabilizationMs: 3_600_001 }), 'web.autoscale.stabilization.up', /at most 3600000/);
