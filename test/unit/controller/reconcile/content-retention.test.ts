import test from 'ava';
import type { ContentPins } from '#model/app.ts';
import { CONTENT_GRACE_MS, contentKeys, planContentRetention } from '../../../../controller/reconcile/content-retention.ts';
import type { ContentRetention, Idle } from '../../../../controller/reconcile/content-retention.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import type { StoredKey } from '../../../../controller/store/ports.ts';
import { Random } from '../../../sim/random.ts';

const T0 = 1_000;
const blob = (letter: string): string => buildKey({ kind: 'blob', namespace: 'prod', sha256: letter.repeat(64) });
const secret = (version: number, name = 'db'): string => buildKey({ kind: 'secret', namespace: 'prod', name, version });
const stored = (key: string, modRevision = 5): StoredKey => ({ key, createRevision: 5, modRevision });

/** What goes at the end of the grace, when it was so all the time. */
function removed(keys: readonly string[], needed: readonly string[]): readonly string[] {
  const first = planContentRetention(keys.map(key => stored(key)), new Set(needed), new Map(), T0);
  return planContentRetention(keys.map(key => stored(key)), new Set(needed), first.idle, T0 + CONTENT_GRACE_MS).due.map(one => one.key);
}

test('pins name their contents by namespace', t => {
  const pins: ContentPins = { configs: [{ name: 'conf', sha256: 'a'.repeat(64) }], secrets: [{ name: 'db', version: 3 }] };
  t.deepEqual(contentKeys('prod', pins), [blob('a'), secret(3)]);
  t.not(contentKeys('test', pins)[0], blob('a'));
});

test('a config that nothing pins goes, one that anything pins stays', t => {
  t.deepEqual(removed([blob('a'), blob('b')], [blob('a')]), [blob('b')]);
});

test('of a secret the newest version stays though nothing pins it, older ones only where they are pinned', t => {
  t.deepEqual(removed([secret(1), secret(2), secret(3)], [secret(2)]), [secret(1)]);
  t.deepEqual(removed([secret(9), secret(10)], []), [secret(9)], 'newest by number');
  t.deepEqual(removed([secret(1), secret(1, 'other')], []), [], 'each has its own');
});

test('the newest version of a deleted secret stays on record while any version of it is pinned', t => {
  const deleted = buildKey({ kind: 'deleted-secret', namespace: 'prod', name: 'db' });
  t.deepEqual(removed([deleted], [secret(1)]), []);
  t.deepEqual(removed([deleted], [secret(1, 'other')]), [deleted]);
});

test('a key that is no content is left alone', t => {
  t.deepEqual(removed(['/gantry/v1/blobs/prod/short', '/gantry/v1/blobs', buildKey({ kind: 'token', hash: 'a'.repeat(64) })], []), []);
});

const idleFor = (ms: number, modRevision = 5, needed: readonly string[] = []): ContentRetention => planContentRetention(
  [stored(blob('a'), modRevision)], new Set(needed), new Map<string, Idle>([[blob('a'), { modRevision: 5, sinceMs: T0 }]]), T0 + ms);

test('nothing goes before it was needed by nobody for the whole grace', t => {
  t.deepEqual(planContentRetention([stored(blob('a'))], new Set(), new Map(), T0 + 10 * CONTENT_GRACE_MS).due, [], 'seen for the first time');
  t.deepEqual(idleFor(CONTENT_GRACE_MS - 1).due, []);
  t.deepEqual(idleFor(CONTENT_GRACE_MS).due.map(one => one.key), [blob('a')]);
});

test('the grace begins anew for what was written again, or was needed meanwhile', t => {
  t.deepEqual(idleFor(CONTENT_GRACE_MS, 6), { due: [], idle: new Map([[blob('a'), { modRevision: 6, sinceMs: T0 + CONTENT_GRACE_MS }]]) });
  t.deepEqual(idleFor(CONTENT_GRACE_MS, 5, [blob('a')]), { due: [], idle: new Map() });
});

test('of random stores nothing that is needed goes, nor the newest version of any secret; the order does not matter', t => {
  const random = new Random(5);
  for (let count = 0; count < 300; count += 1) {
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'].filter(() => random.chance(0.7)).map(blob)
      .concat(['x', 'y'].flatMap(name => [1, 2, 9, 10, 11].filter(() => random.chance(0.6)).map(version => secret(version, name))));
    const needed = keys.filter(() => random.chance(0.4));
    const gone = removed(keys, needed);
    const left = keys.filter(key => !gone.includes(key));
    t.deepEqual(needed.filter(key => gone.includes(key)), []);
    for (const name of ['x', 'y']) {
      const versions = [11, 10, 9, 2, 1].map(version => secret(version, name));
      const newest = versions.find(key => keys.includes(key));
      if (newest !== undefined) t.true(left.includes(newest));
    }
    t.deepEqual([...removed(keys.toReversed(), needed.toReversed())].sort(), [...gone].sort());
    t.deepEqual(removed(left, needed), [], 'done twice it changes nothing more');
  }
});
