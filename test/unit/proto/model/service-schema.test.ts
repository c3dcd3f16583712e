import test from 'ava';
import { serviceOf, manifest, violationsOf } from '../../../support/manifest.ts';

test('the defaults answer complaints', t => {
  t.like(serviceOf({}), {
    kind: 'service', replicas: 1, dependsOn: [], labels: [],
    update: { strategy: 'rolling', maxSurge: 1, maxUnavailable: 0, onFailure: 'rollback' },
    onDisconnect: { kind: 'replace', afterMs: 50_000 },
  });
});

test('a stateful service holds its place and rolls out stop-first', t => {
  t.like(serviceOf({ kind: 'stateful' }), { onDisconnect: { kind: 'hold' }, update: { maxSurge: 0, maxUnavailable: 1 } });
  t.like(serviceOf({ on_disconnect: { replace_after: 'never' } }), { onDisconnect: { kind: 'hold' }, update: { maxSurge: 0, maxUnavailable: 1 } });
  t.like(serviceOf({ on_disconnect: { replace_after: '2m' } }), { onDisconnect: { kind: 'replace', afterMs: 120_000 } });
});

test('stop_after makes a service exclusive, and its tasks are replaced once they have ended for sure', t => {
  const exclusive = (onDisconnect: object, rest: object = {}): object => serviceOf({ on_disconnect: onDisconnect, ...rest }).onDisconnect;
  t.deepEqual(exclusive({ stop_after: '30s', replace_after: '90s' }), { kind: 'exclusive', stopAfterMs: 30_000, replaceAfterMs: 90_000 });
  t.deepEqual(exclusive({ stop_after: '30s', replace_after: '90s' }, { kind: 'stateful' }), { kind: 'exclusive', stopAfterMs: 30_000, replaceAfterMs: 90_000 });
  t.deepEqual(exclusive({ stop_after: '10s' }), { kind: 'exclusive', stopAfterMs: 10_000, replaceAfterMs: 50_000 });
  t.deepEqual(exclusive({ stop_after: '30s' }, { stop_grace_period: '25s' }), { kind: 'exclusive', stopAfterMs: 30_000, replaceAfterMs: 65_000 });
  t.like(serviceOf({ on_disconnect: { stop_after: '30s' } }), { update: { maxSurge: 0, maxUnavailable: 1 } });
});

test('what stops itself and is never replaced is a complaint', t => {
  const [violation, ...others] = violationsOf(manifest({ on_disconnect: { stop_after: '30s', replace_after: 'never' } }));
  t.is(violation?.path, 'services.web.on_disconnect.stop_after');
  t.regex(violation?.message ?? '', /leave out stop_after/);
  t.deepEqual(others, []);
});

test('a job is not restarted in place, and tried again three times', t => {
  t.like(serviceOf({ kind: 'job', job: { completions: 3, timeout: '1h' } }), { replicas: 3, job: { retries: 3, timeoutMs: 3_600_000 } });
  t.is(serviceOf({ kind: 'job' }).container.restart.mode, 'never');
});

test('a global service has no replicas of its own', t => {
  t.is(serviceOf({ kind: 'global' }).replicas, 0);
  t.is(violationsOf(manifest({ kind: 'global', replicas: 2 }))[0]?.path, 'services.web.replicas');
});

test('placement is parsed', t => {
  const { placement } = serviceOf({ placement: { require: ['tier == web'], prefer: [{ rule: 'disk == ssd', weight: 10 }], spread: ['zone'], max_per: { node: 2 }, tolerate: ['spot'] } });
  t.deepEqual(placement, {
    require: [{ label: 'tier', operator: '==', values: ['web'] }], prefer: [{ rule: { label: 'disk', operator: '==', values: ['ssd'] }, weight: 10 }],
    spread: ['zone'], maxPer: [{ label: 'node', count: 2 }], tolerate: ['spot'], affinity: [], avoid: [], priority: 0, isGang: false,
  });
});

test('neighbours by name alone must hold, on the node; the rest of placement is off by default', t => {
  const rest = { services: { web: { image: 'x', placement: { affinity: ['db', { service: 'other/cache', label: 'zone', weight: 5 }], avoid: [{ service: 'db', label: 'rack' }], policy: 'binpack', priority: -7, gang: true } }, db: { image: 'y' } } };
  t.like(serviceOf({}, rest).placement, {
    affinity: [{ service: 'db', label: 'node' }, { service: 'other/cache', label: 'zone', weight: 5 }], avoid: [{ service: 'db', label: 'rack' }],
    policy: 'binpack', priority: -7, isGang: true,
  });
  t.deepEqual(violationsOf(manifest({ placement: { policy: 'tight', affinity: [{ servce: 'db' }] } })).map(({ path }) => path).sort(), [
    'services.web.placement.affinity[0]', 'services.web.placement.affinity[0].servce', 'services.web.placement.affinity[0].service', 'services.web.placement.policy',
  ]);
});

test('requests of processes are read', t => {
  t.is(serviceOf({ resources: { requests: { pids: 10 } } }).container.requests.pids, 10);
});

test('depends_on is a mapping or a list', t => {
  const rest = (dependsOn: unknown): object => ({ services: { web: { image: 'x', depends_on: dependsOn }, db: { image: 'y' } } });
  t.deepEqual(serviceOf({}, rest(['db'])).dependsOn, [{ service: 'db', condition: 'service_started' }]);
  t.deepEqual(serviceOf({}, rest({ db: { condition: 'service_healthy' } })).dependsOn, [{ service: 'db', condition: 'service_healthy' }]);
});
