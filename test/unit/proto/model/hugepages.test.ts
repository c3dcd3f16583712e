import test from 'ava';
import { missingPageSize, pageSizesOf } from '#model/hugepages.ts';
import { container } from '../../../support/builders.ts';

const using = (...sizes: readonly number[]) => container({ limits: { memoryBytes: 1, pids: 1, hugepages: sizes.map(pageBytes => ({ pageBytes, bytes: pageBytes })) } });

test('sizes of all containers, smallest first, each once', t => {
  t.deepEqual(pageSizesOf({ container: using(2 ** 30, 2 ** 21), companions: [{ name: 'a', role: 'init', container: using(2 ** 16, 2 ** 21) }] }), [2 ** 16, 2 ** 21, 2 ** 30]);
  t.deepEqual(pageSizesOf({ container: using() }), []);
});
test('the smallest size that is missing; a node that is not known lacks none', t => {
  t.is(missingPageSize({ container: using(2 ** 21, 2 ** 30) }, { bytes: [] }), 2 ** 21);
  t.is(missingPageSize({ container: using(2 ** 21) }, { bytes: [2 ** 21] }), undefined);
  t.is(missingPageSize({ container: using(2 ** 21) }, undefined), undefined);
});
