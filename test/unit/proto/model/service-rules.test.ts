import test from 'ava';
import { checkAppSpec } from '#model/app-rules.ts';
import { appOf, manifest, serviceOf, violationsOf } from '../../../support/manifest.ts';

const refuses = test.macro({
  exec(t, web: object, path: string, message: RegExp) {
    const violations = violationsOf(manifest(web));
    t.deepEqual(violations.map(violation => violation.path), [`services.web.${path}`]);
    t.regex(violations[0]?.message ?? '', message);
  },
  title: (name = '', web) => `${name} ${JSON.stringify(web)}`.trim(),
});
test(refuses, { replicas: -1 }, 'replicas', /at least 0 and at most 10000/);
test(refuses, { replicas: 10_001 }, 'replicas', /at most 10000/);
test(refuses, { update: { max_surge: 0 } }, 'update.max_unavailable', /cannot both be 0/);
test(refuses, { kind: 'stateful', update: { max_surge: 1 } }, 'update.max_surge', /never runs two/);
test(refuses, { depends_on: ['db'] }, 'depends_on', /'db' is no service of this App/);
test(refuses, { depends_on: ['web'] }, 'depends_on', /cycle/);
test(refuses, { kind: 'stateful', on_disconnect: { replace_after: '1m' } }, 'on_disconnect.replace_after', /holds its place/);
test(refuses, { on_disconnect: { stop_after: '30s', replace_after: '49999ms' } }, 'on_disconnect.replace_after', /at least 50s \(stop_after 30s \+ stop_grace_period 10s \+ 10s to be safe\), got 49s999ms: before that two copies could run/);
test(refuses, { on_disconnect: { stop_after: '2999ms' } }, 'on_disconnect.stop_after', /at least 3000/);
test(refuses, { kind: 'global', on_disconnect: { stop_after: '30s' } }, 'on_disconnect.stop_after', /only services of kind service and stateful stop themselves/);
test(refuses, { kind: 'job', on_disconnect: { stop_after: '30s' } }, 'on_disconnect.stop_after', /not of kind job/);
test(refuses, { on_disconnect: { stop_after: '30s' }, update: { max_surge: 1 } }, 'update.max_surge', /never runs two copies/);
test(refuses, { job: {} }, 'job', /only a service of kind job/);
test(refuses, { kind: 'job', restart: { policy: 'always' } }, 'restart.policy', /a job ends/);
test(refuses, { kind: 'job', job: { retries: -1 } }, 'job.retries', /at least 0/);
test(refuses, { kind: 'job', job: { timeout: '0s' } }, 'job.timeout', /more than 0/);
test(refuses, { placement: { prefer: [{ rule: 'a == b', weight: 0 }] } }, 'placement.prefer[0].weight', /at least 1/);
test(refuses, { placement: { max_per: { node: 0 } } }, 'placement.max_per.node', /at least 1/);
test(refuses, { placement: { spread: ['a b'] } }, 'placement.spread[0]', /not a label name/);
test(refuses, { placement: { affinity: ['db'] } }, 'placement.affinity[0]', /'db' is no service of this App; one of another App is APP\/NAME/);
test(refuses, { placement: { avoid: ['web'] } }, 'placement.avoid[0]', /is the service itself/);
test(refuses, { placement: { avoid: ['a/b/c'] } }, 'placement.avoid[0]', /must be the NAME/);
test(refuses, { placement: { avoid: [{ service: 'other/db', label: 'a b' }] } }, 'placement.avoid[0].label', /not a label name/);
test(refuses, { placement: { affinity: [{ service: 'other/db', weight: 0 }] } }, 'placement.affinity[0].weight', /at least 1/);
test(refuses, { placement: { priority: 1_000_001 } }, 'placement.priority', /at most 1000000/);
test(refuses, { kind: 'global', placement: { gang: true } }, 'placement.gang', /only service and job/);
test(refuses, { resources: { requests: { pids: 513 } } }, 'resources.requests.pids', /at most 512/);
test(refuses, { labels: { 'a b': 'x' } }, 'labels', /invalid name 'a b'/);
test(refuses, { labels: { a: 'x\n' } }, 'labels', /one line/);

test('exactly as long as the last process may run, and to be safe, is enough', t => {
  t.deepEqual(violationsOf(manifest({ on_disconnect: { stop_after: '30s', replace_after: '50s' } })), []);
  t.deepEqual(violationsOf(manifest({ kind: 'stateful', stop_grace_period: '1s', on_disconnect: { stop_after: '3s', replace_after: '14s' } })), []);
});

test('10000 replicas and none are fine', t => {
  t.is(serviceOf({ replicas: 10_000 }).replicas, 10_000);
  t.is(serviceOf({ replicas: 0 }).replicas, 0);
});

test('only a job completes', t => {
  const services = (kind: string): object => ({ services: { web: { image: 'x', depends_on: { m: { condition: 'service_completed_successfully' } } }, m: { image: 'x', kind } } });
  t.regex(violationsOf(manifest({}, services('service')))[0]?.message ?? '', /never completes/);
  t.deepEqual(violationsOf(manifest({}, services('job'))), []);
});

test('a typed rule that no text says is refused', t => {
  const app = appOf(manifest());
  const rule = { label: 'tier', operator: '==', values: ['a\nb'] } as const;
  const services = app.services.map(service => ({ ...service, placement: { ...service.placement, require: [rule] } }));
  t.deepEqual(checkAppSpec({ ...app, services }).map(({ path }) => path), ['services.web.placement.require[0]']);
});
