import test from 'ava';
import { contentSources, readApp, snapPath } from '#model/app-schema.ts';
import { fromPlain } from '#model/raw-value.ts';
import { appOf, manifest, violationsOf } from '../../../support/manifest.ts';

const CONTEXT = { defaultNamespace: 'default', contents: new Map() };

test('namespace defaults to that of the context', t => {
  t.is(appOf(manifest()).namespace, 'default');
  t.is(appOf(manifest({}, { metadata: { name: 'shop', namespace: 'prod' } })).namespace, 'prod');
});

test('services, configs and volumes are sorted by name', t => {
  const app = appOf(manifest({}, { services: { b: { image: 'x' }, a: { image: 'x' } }, volumes: { z: null, y: {} } }));
  t.deepEqual(app.services.map(({ name }) => name), ['a', 'b']);
  t.deepEqual(app.volumes, [{ name: 'y', perReplica: false }, { name: 'z', perReplica: false }]);
});

test('all violations at once, in document order', t => {
  const violations = violationsOf({
    apiVersion: 'gantry/v2', kind: 'App', metadata: { name: 'Shop' }, services: { web: { imag: 'x', image: 'y', replicas: -1 }, api: { image: 'UP' } }, bogus: 1,
  });
  t.deepEqual(violations.map(({ path }) => path), ['apiVersion', 'metadata.name', 'services.web.imag', 'services.web.replicas', 'services.api.image', 'bogus']);
});

test('an envelope that is missing is told as it would be right', t => {
  t.deepEqual(violationsOf({ services: { web: { image: 'x' } } }).slice(0, 2), [
    { path: 'apiVersion', message: 'required; write apiVersion: gantry/v1' }, { path: 'kind', message: 'required; write kind: App' },
  ]);
  t.deepEqual(violationsOf({ ...manifest(), apiVersion: '' }), [{ path: 'apiVersion', message: 'must be gantry/v1' }]);
  t.deepEqual(violationsOf({ ...manifest(), apiVersion: 1 }).map(({ path }) => path), ['apiVersion']);
});

test('a place with a broken shape is complained about once', t => {
  t.deepEqual(violationsOf(manifest({ replicas: 'three' })).map(({ path }) => path), ['services.web.replicas']);
  t.deepEqual(violationsOf(manifest({}, { services: { web: null } })).map(({ path }) => path), ['services.web']);
});

test('another kind is not read further', t => {
  t.regex(violationsOf({ apiVersion: 'gantry/v1', kind: 'Quota', spec: 1 })[0]?.message ?? '', /not available in this version/);
  t.is(violationsOf({ apiVersion: 'gantry/v1', kind: 'Quota', spec: 1 }).length, 1);
  t.is(violationsOf({ apiVersion: 'gantry/v1' })[0]?.path, 'kind');
});

test('a document is a mapping', t => {
  t.like(readApp('hello', CONTEXT), { kind: 'violations', violations: [{ path: '' }] });
});

test('contents come from the table by the path of their source', t => {
  const raw = fromPlain(manifest({ configs: ['c'], secrets: ['s', 'e'] }, { configs: { c: { file: './c' } }, secrets: { s: { env: 'S' }, e: { external: true } } }));
  t.deepEqual(contentSources(raw), [{ path: 'configs.c.file', kind: 'file', name: './c' }, { path: 'secrets.s.env', kind: 'env', name: 'S' }]);
  const content = Uint8Array.of(1, 2);
  const read = readApp(raw, { ...CONTEXT, contents: new Map([['configs.c.file', { content }], ['secrets.s.env', { problem: 'variable S is not set' }]]) });
  t.deepEqual(read, { kind: 'violations', violations: [{ path: 'secrets.s.env', message: 'variable S is not set' }] });
});

test('a config has one source', t => {
  t.regex(violationsOf(manifest({}, { configs: { c: {} } }))[0]?.message ?? '', /one of file and content/);
  t.regex(violationsOf(manifest({}, { secrets: { s: { external: true, env: 'A' } } }))[0]?.message ?? '', /one of external/);
});

test('snapPath ends at the scalar that stands for the whole', t => {
  const raw = fromPlain({ volumes: ['a:/b', { target: '/c' }] });
  t.is(snapPath(raw, 'volumes[0].target'), 'volumes[0]');
  t.is(snapPath(raw, 'volumes[1].source'), 'volumes[1].source');
});
