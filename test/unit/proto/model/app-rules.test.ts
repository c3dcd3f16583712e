import test from 'ava';
import { checkAppSpec } from '#model/app-rules.ts';
import type { AppSpec } from '#model/app.ts';
import type { ServiceSpec } from '#model/service.ts';
import { appOf, manifest, serviceOf } from '../../../support/manifest.ts';

const GOOD = appOf(manifest());

const refuses = test.macro((t, change: Partial<AppSpec>, path: string, message: RegExp) => {
  const violations = checkAppSpec({ ...GOOD, ...change });
  t.true(violations.some(violation => violation.path === path && message.test(violation.message)), JSON.stringify(violations));
});
const named = (name: string): ServiceSpec => ({ ...serviceOf({}), name });

test('a good App has no violation', t => { t.deepEqual(checkAppSpec(GOOD), []); });
test('App name', refuses, { name: '..' }, 'metadata.name', /RFC 1123/);
test('namespace', refuses, { namespace: 'a.b' }, 'metadata.namespace', /RFC 1123/);
test('an empty name is a missing one', refuses, { name: '' }, 'metadata.name', /required/);
test('a service name of 64 characters', refuses, { services: [named('a'.repeat(64))] }, 'services', /RFC 1123/);
test('no service', refuses, { services: [] }, 'services', /at least one service/);
test('101 services', refuses, { services: Array.from({ length: 101 }, (_, index) => named(`s${String(index)}`)) }, 'services', /at most 100/);
test('a service twice', refuses, { services: [named('a'), named('a')] }, 'services', /twice/);
test('a config of 512 KiB and a byte', refuses, { configs: [{ name: 'c', content: new Uint8Array(524_289) }] }, 'configs.c', /524289 bytes/);
test('a secret of 512 KiB and a byte', refuses, { secrets: [{ name: 's', kind: 'content', content: new Uint8Array(524_289) }] }, 'secrets.s', /512 KiB/);
test('a volume of no size', refuses, { volumes: [{ name: 'v', perReplica: false, sizeBytes: 0 }] }, 'volumes.v.size', /> 0/);

test('512 KiB exactly is fine', t => {
  t.deepEqual(checkAppSpec({ ...GOOD, configs: [{ name: 'c', content: new Uint8Array(524_288) }] }), []);
});

test('an App that is too big to store', t => {
  const environment = Array.from({ length: 6 }, (_, index) => ({ name: `A${String(index)}`, value: 'x'.repeat(100_000) }));
  const services = GOOD.services.map(service => ({ ...service, container: { ...service.container, environment } }));
  t.regex(checkAppSpec({ ...GOOD, services })[0]?.message ?? '', /at most 524288/);
});

test('an ingress port has one owner', t => {
  const ports = { ports: ['80:80', '81:80/udp'] };
  const document = (api: object): object => manifest(ports, { services: { web: { image: 'x', ...ports }, api: { image: 'x', ...api } } });
  t.throws(() => appOf(document({ ports: ['80:90'] })), { message: /services\.web\.ports\[0\].*: port 80\/tcp is already published by service 'api'/ });
  t.throws(() => appOf(document({ ports: [{ published: 80, target: 1, mode: 'host' }] })), { message: /already published/ });
  t.notThrows(() => appOf(document({ ports: ['80:90/udp'] })));
});

test('a cycle is told once, from its first service', t => {
  const services = { a: { image: 'x', depends_on: ['b'] }, b: { image: 'x', depends_on: ['c'] }, c: { image: 'x', depends_on: ['a'] } };
  t.throws(() => appOf(manifest({}, { services })), { message: 'services.a.depends_on: cycle: a -> b -> c -> a' });
});

test('a diamond is no cycle', t => {
  t.notThrows(() => appOf(manifest({}, { services: { a: { image: 'x', depends_on: ['b', 'c'] }, b: { image: 'x', depends_on: ['d'] }, c: { image: 'x', depends_on: ['d'] }, d: { image: 'x' } } })));
});

test('two services may have one host port: the scheduler keeps them apart', t => {
  const host = { image: 'x', ports: [{ published: 80, target: 1, mode: 'host' }] };
  t.notThrows(() => appOf(manifest({}, { services: { a: host, b: host } })));
});

const volumes = test.macro({
  exec(t, declared: Readonly<Record<string, object>>, key: string | undefined) {
    const violations = checkAppSpec({ ...GOOD, volumes: Object.entries(declared).map(([name, rest]) => ({ name, perReplica: false, ...rest })) });
    t.deepEqual(violations.map(violation => [violation.path, violation.key]), key === undefined ? [] : [['volumes', key]]);
  },
  title: (_, declared) => `volumes ${JSON.stringify(declared)}`,
});
const EACH = { perReplica: true };
test(volumes, { 'data': EACH, 'data-0': {} }, 'data-0');
test(volumes, { 'data': EACH, 'data-12': {} }, 'data-12');
test(volumes, { 'data-1': EACH, 'data-1-3': {} }, 'data-1-3');
test(volumes, { 'data': EACH, 'data-x': {} }, undefined);
test(volumes, { 'data': EACH, 'data-01': {} }, undefined);
test(volumes, { 'data': EACH, 'data-0': EACH }, undefined);
test(volumes, { 'data': {}, 'data-0': {} }, undefined);
