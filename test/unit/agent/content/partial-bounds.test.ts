import test from 'ava';
import { MAX_PARTIAL_AGE_MS, MAX_PARTIAL_BYTES, partialsToDrop } from '../../../../agent/content/partial-bounds.ts';

const NOW = 10 * MAX_PARTIAL_AGE_MS;

test('23: beginnings of blobs go by age, and the longest unused ones above the bound in bytes', t => {
  const file = (name: string, bytes: number, ageMs: number) => ({ name, bytes, writtenAtMs: NOW - ageMs });
  const half = MAX_PARTIAL_BYTES / 2;
  t.deepEqual(partialsToDrop([], NOW), []);
  t.deepEqual(partialsToDrop([file('a', half, 3), file('b', half, 2)], NOW), []);
  t.deepEqual(partialsToDrop([file('old', 1, MAX_PARTIAL_AGE_MS + 1), file('a', 1, MAX_PARTIAL_AGE_MS)], NOW), ['old']);
  t.deepEqual(partialsToDrop([file('oldest', half, 3), file('middle', half, 2), file('newest', half, 1)], NOW), ['oldest']);
  t.deepEqual(partialsToDrop([file('small', 1, 3), file('huge', MAX_PARTIAL_BYTES + 1, 1)], NOW), ['huge'], 'one that is too large takes no other with it');
});
