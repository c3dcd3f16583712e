import test from 'ava';
import { canonicalJson, configSha256, draftRevision, newServiceCount, templateHash } from '../../../../controller/api/revision.ts';
import type { RevisionInput } from '../../../../controller/api/revision.ts';
import { app, service, T0 } from '../../../support/builders.ts';
import { appOf, manifest, serviceOf } from '../../../support/manifest.ts';

const PINS = { configs: [], secrets: [] };
const input = (change: Partial<RevisionInput> = {}): RevisionInput => ({
  app: appOf(manifest()), secretVersions: new Map(), currentApp: undefined, currentServices: new Map(), currentStatuses: new Map(), freeVirtualIps: ['10.160.0.9'], nowMs: T0, ...change,
});

test('the hash names what a task is made of, whatever the order of keys', t => {
  const spec = serviceOf({ environment: { A: '1' } });
  const turned = { ...spec, container: Object.fromEntries(Object.entries(spec.container).reverse()) as unknown as typeof spec.container };
  t.is(templateHash(spec, PINS, [], 0), templateHash(turned, PINS, [], 0));
  t.not(templateHash(spec, PINS, [], 0), templateHash(serviceOf({ environment: { A: '2' } }), PINS, [], 0));
  t.not(templateHash(spec, PINS, [], 0), templateHash(spec, PINS, [], 1));
});

test('when it stops itself is in it, when it is replaced is not', t => {
  const hash = (onDisconnect: object): string => templateHash(serviceOf({ on_disconnect: onDisconnect }), PINS, [], 0);
  t.is(hash({ stop_after: '30s', replace_after: '1m' }), hash({ stop_after: '30s', replace_after: '2m' }));
  t.not(hash({ stop_after: '30s' }), hash({ stop_after: '20s' }));
  t.not(hash({ stop_after: '30s' }), hash({}));
  t.is(hash({ replace_after: 'never' }), hash({}));
});

test('replicas, placement and update are not in it', t => {
  const changed = serviceOf({ replicas: 5, placement: { spread: ['zone'] }, update: { max_surge: 3 }, labels: { a: 'b' } });
  t.is(templateHash(serviceOf({}), PINS, [], 0), templateHash(changed, PINS, [], 0));
});

test('only the contents and volumes that it uses are in it', t => {
  const spec = serviceOf({ configs: [{ source: 'c', target: '/c' }] }, { configs: { c: { content: 'x' } } });
  const pins = (c: string, other: string) => ({ configs: [{ name: 'c', sha256: c }, { name: 'other', sha256: other }], secrets: [] });
  t.is(templateHash(spec, pins('1', '2'), [], 0), templateHash(spec, pins('1', '3'), [{ name: 'v', perReplica: false }], 0));
  t.not(templateHash(spec, pins('1', '2'), [], 0), templateHash(spec, pins('2', '2'), [], 0));
});

test('canonicalJson sorts keys at every level and keeps lists', t => {
  t.is(canonicalJson({ b: [{ d: 1, c: 2 }], a: null }), '{"a":null,"b":[{"c":2,"d":1}]}');
});

test('the first Revision is 1 and takes the free addresses', t => {
  const draft = draftRevision(input());
  t.is(draft.app.revision, 1);
  t.deepEqual(draft.services.map(one => [one.name, one.virtualIp, one.revision]), [['web', '10.160.0.9', 1]]);
  t.true(draft.isChanged);
  t.throws(() => draftRevision(input({ freeVirtualIps: [] })), { instanceOf: RangeError });
});

test('the same again is unchanged, and writes no service', t => {
  const first = draftRevision(input());
  const currentServices = new Map(first.services.map(one => [one.name, one]));
  const again = draftRevision(input({ currentApp: first.app, currentServices, freeVirtualIps: [] }));
  t.false(again.isChanged);
  t.deepEqual(again.services, []);
  t.is(newServiceCount(appOf(manifest()), currentServices), 0);
});

test('an App that was being deleted is changed by the same manifest', t => {
  const first = draftRevision(input());
  const gone = { ...first.app, isDeleting: true };
  t.true(draftRevision(input({ currentApp: gone, currentServices: new Map(first.services.map(one => [one.name, one])) })).isChanged);
});

test('what a manifest does not name is to go, once', t => {
  const left = service({ app: 'shop', name: 'old' });
  const going = service({ app: 'shop', name: 'older', isDeleting: true });
  const draft = draftRevision(input({ currentApp: app('shop'), currentServices: new Map([['old', left], ['older', going]]) }));
  t.deepEqual(draft.changes, [{ name: 'web', change: 'created', revision: 2 }, { name: 'old', change: 'removed', revision: 2 }]);
});

test('a config is named by its content', t => {
  t.is(configSha256({ name: 'c', content: new TextEncoder().encode('abc') }), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});
