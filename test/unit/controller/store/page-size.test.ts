import test from 'ava';
import { FIRST_PAGE_KEYS, nextPageKeys } from '../../../../controller/store/page-size.ts';
import { fc } from '../../../support/property.ts';

test('pages of small records grow to a thousand keys, pages of large ones shrink to some', t => {
  t.deepEqual([FIRST_PAGE_KEYS, 200, 400, 800].map(keys => nextPageKeys(keys, keys * 500)), [200, 400, 800, 1_000]);
  t.is(nextPageKeys(100, 100 * 235_520), 26);
  t.is(nextPageKeys(3, 3 * 1024 * 1024 * 10), 1);
});

test('a page of records as large as the last ones stays under 6 MiB, or is a single record', t => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 1, max: 2 ** 21 }), (keys, size) => {
    const next = nextPageKeys(keys, keys * size);
    t.true(next >= 1 && next <= 1_000 && (keys === 0 || next === 1 || next * size <= 6 * 1024 * 1024));
  }));
});
