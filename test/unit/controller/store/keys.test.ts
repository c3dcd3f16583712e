import test from 'ava';
import { appId, parseNodeId, parseTaskId, serviceId } from '#model/ids.ts';
import { buildKey, eventPrefix, parseKey, prefixOf, revisionPrefix } from '../../../../controller/store/keys.ts';
import type { RecordKey } from '../../../../controller/store/keys.ts';

const TASK = parseTaskId('abcdefghijk2');
const KEYS: readonly (readonly [RecordKey, string])[] = [
  [{ kind: 'leader' }, 'leader'],
  [{ kind: 'settings' }, 'settings'],
  [{ kind: 'controller', id: 'c1' }, 'controllers/c1'],
  [{ kind: 'mass-breaker' }, 'mass-breaker'],
  [{ kind: 'node', id: parseNodeId('n1') }, 'nodes/n1'],
  [{ kind: 'ledger', id: parseNodeId('n1') }, 'ledgers/n1'],
  [{ kind: 'session', id: parseNodeId('n1') }, 'sessions/n1'],
  [{ kind: 'removed-node', id: parseNodeId('n1') }, 'removed/n1'],
  [{ kind: 'app', id: appId('prod', 'shop') }, 'apps/prod/shop'],
  [{ kind: 'revision', app: appId('prod', 'shop'), number: 42 }, 'revisions/prod/shop/0000000042'],
  [{ kind: 'service', id: serviceId('prod', 'shop', 'web') }, 'services/prod/shop/web'],
  [{ kind: 'service-status', id: serviceId('prod', 'shop', 'web') }, 'rollouts/prod/shop/web'],
  [{ kind: 'task', id: TASK }, 'tasks/abcdefghijk2'],
  [{ kind: 'status', id: TASK }, 'status/abcdefghijk2'],
  [{ kind: 'blob', namespace: 'prod', sha256: 'a'.repeat(64) }, `blobs/prod/${'a'.repeat(64)}`],
  [{ kind: 'registry-login', namespace: 'prod', registry: 'r.acme.test:5000' }, 'logins/prod/r.acme.test:5000'],
  [{ kind: 'volume', namespace: 'prod', name: 'data-3', node: parseNodeId('n1') }, 'volumes/prod/data-3/n1'],
  [{ kind: 'secret', namespace: 'prod', name: 'db', version: 3 }, 'secrets/prod/db/0000000003'],
  [{ kind: 'deleted-secret', namespace: 'prod', name: 'db' }, 'deleted-secrets/prod/db'],
  [{ kind: 'request', id: '0f8fad5b-d9cb-469f-a165-70867728950e' }, 'requests/0f8fad5b-d9cb-469f-a165-70867728950e'],
  [{ kind: 'event', object: 'service/prod/shop/web', reason: 'scale-up' }, 'events/service/prod/shop/web/scale-up'],
  [{ kind: 'event', object: `task/${TASK}`, reason: 'ImagePullFailed' }, `events/task/${TASK}/ImagePullFailed`],
  [{ kind: 'token', hash: 'b'.repeat(64) }, `tokens/${'b'.repeat(64)}`],
];

for (const [key, tail] of KEYS) {
  test(`${tail} is built and parsed`, t => {
    t.is(buildKey(key), `/gantry/v1/${tail}`);
    t.deepEqual(parseKey(`/gantry/v1/${tail}`), key);
    t.true(buildKey(key).startsWith(prefixOf(key.kind)));
  });
}

test('a part that would reach into another key is refused', t => {
  for (const id of ['../leader', 'a/b', '', 'A', 'a\n']) {
    t.throws(() => buildKey({ kind: 'controller', id }), { instanceOf: RangeError });
  }
  t.throws(() => buildKey({ kind: 'app', id: 'prod' as never }), { instanceOf: RangeError });
  t.throws(() => buildKey({ kind: 'event', object: 'task/../x', reason: 'r' }), { instanceOf: RangeError });
  t.throws(() => buildKey({ kind: 'volume', namespace: 'prod', name: '../x', node: parseNodeId('n1') }), { instanceOf: RangeError });
  t.throws(() => buildKey({ kind: 'revision', app: appId('a', 'b'), number: -1 }), { instanceOf: RangeError });
});

test('what no key can be is not parsed', t => {
  for (const text of ['', '/gantry/v1/', '/gantry/v2/nodes/n1', '/gantry/v1/nodes/', '/gantry/v1/nodes/n1/x', '/gantry/v1/leader/x', '/gantry/v1/tasks/short',
    '/gantry/v1/revisions/a/b/1', '/gantry/v1/other/x', '/gantry/v1/constructor/x']) {
    t.is(parseKey(text), undefined, text);
  }
});

test('no kind has a prefix of another', t => {
  const prefixes = KEYS.map(([key]) => prefixOf(key.kind));
  for (const one of new Set(prefixes)) {
    t.deepEqual([...new Set(prefixes)].filter(other => other.startsWith(one)), [one]);
  }
});

test('revisions of an app, and events of an object, have a prefix of their own', t => {
  t.is(revisionPrefix(appId('a', 'b')), '/gantry/v1/revisions/a/b/');
  t.is(eventPrefix('node/n1'), '/gantry/v1/events/node/n1/');
});
