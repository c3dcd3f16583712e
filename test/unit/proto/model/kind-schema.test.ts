import test from 'ava';
import { manifest, serviceOf, violationsOf } from '../../../support/manifest.ts';

test('a job has completions, of which as many as parallelism run at once', t => {
  t.like(serviceOf({ kind: 'job', job: { completions: 9, parallelism: 3, retries: 1, timeout: '1h' } }), {
    replicas: 9, job: { retries: 1, timeoutMs: 3_600_000, parallelism: 3 },
  });
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
test(refused, { kind: 'job', job: { complitions: 3 } }, 'job.complitions', /did you mean 'completions'/);
test(refused, { job: { retries: 1 } }, 'job', /only a service of kind job or cron/);
