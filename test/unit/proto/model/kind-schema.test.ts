import test from 'ava';
import { manifest, serviceOf, violationsOf } from '../../../support/manifest.ts';

test('a job has completions, of which as many as parallelism run at once, and may be forgotten', t => {
  t.like(serviceOf({ kind: 'job', job: { completions: 9, parallelism: 3, retries: 1, timeout: '1h', keep: '7d' } }), {
    replicas: 9, job: { retries: 1, timeoutMs: 3_600_000, parallelism: 3, keepMs: 604_800_000 },
  });
});

test('a cron is in UTC, overlaps, and keeps what Kubernetes would', t => {
  const spec = serviceOf({ kind: 'cron', schedule: '0 3 * * *' });
  t.deepEqual(spec.cron, { schedule: '0 3 * * *', timezone: 'UTC', concurrency: 'allow', keptSucceeded: 3, keptFailed: 1, isSuspended: false });
  t.deepEqual(spec.job, { retries: 3 });
  t.is(spec.container.restart.mode, 'never');
});

test('all that a cron can say', t => {
  const spec = serviceOf({
    kind: 'cron', schedule: '@daily', timezone: 'Europe/Paris', concurrency: 'forbid', starting_deadline: '10m', history: { succeeded: 5, failed: 2 }, suspend: true,
    job: { completions: 2 },
  });
  t.like(spec, { replicas: 2, cron: { timezone: 'Europe/Paris', concurrency: 'forbid', startingDeadlineMs: 600_000, keptSucceeded: 5, keptFailed: 2, isSuspended: true } });
});

test('a service that scales begins with its least, goes up at once and comes down after five minutes', t => {
  t.like(serviceOf({ autoscale: { min: 2, max: 20, cpu: '60%' } }), {
    replicas: 2, autoscale: { min: 2, max: 20, cpuPercent: 60, stabilizationMs: 300_000, upStabilizationMs: 0 },
  });
});

test('all that scaling can say', t => {
  const spec = serviceOf({ replicas: 3, autoscale: { min: 0, max: 20, memory: '80%', metric: { query: 'sum(jobs)', target: 2.5 }, stabilization: { up: '1m', down: '10m' } } });
  t.is(spec.replicas, 3);
  t.deepEqual(spec.autoscale, { min: 0, max: 20, memoryPercent: 80, metric: { query: 'sum(jobs)', target: 2.5 }, stabilizationMs: 600_000, upStabilizationMs: 60_000 });
  t.like(serviceOf({ autoscale: { max: 2, cpu: '50%', stabilization: '30s' } }).autoscale, { min: 1, stabilizationMs: 30_000, upStabilizationMs: 0 });
});

const refused = test.macro({
  exec(t, web: object, path: string, message: RegExp) {
    const [violation, other] = violationsOf(manifest(web));
    t.is(violation?.path, `services.web.${path}`);
    t.regex(violation?.message ?? '', message);
    t.is(other, undefined);
  },
  title: (_, web: object, path: string) => `refused: ${path} of ${JSON.stringify(web)}`,
});
test(refused, { job: { retries: 1 } }, 'job', /only a service of kind job or cron/);
test(refused, { schedule: '@daily' }, 'schedule', /only a service of kind cron/);
test(refused, { kind: 'job', timezone: 'UTC' }, 'timezone', /only a service of kind cron/);
test(refused, { kind: 'cron' }, 'schedule', /required/);
test(refused, { kind: 'cron', schedule: '@daily', concurrency: 'queue' }, 'concurrency', /allow, forbid, replace/);
test(refused, { kind: 'cron', schedule: '@daily', history: { kept: 1 } }, 'history.kept', /unknown key/);
test(refused, { kind: 'job', job: { complitions: 3 } }, 'job.complitions', /did you mean 'completions'/);
test(refused, { autoscale: { cpu: '60%' } }, 'autoscale.max', /required/);
test(refused, { autoscale: { max: 2, cpu: 60 } }, 'autoscale.cpu', /60%/);
test(refused, { autoscale: { max: 2, cpu: '60%', stabilization: { sideways: '1m' } } }, 'autoscale.stabilization.sideways', /unknown key/);
