import test from 'ava';
import { pageSizeName, pageSizes } from '../../../../agent/cgroup/page-sizes.ts';

test('sizes of a machine, smallest first; what is no size is none', t => {
  t.deepEqual(pageSizes(['hugepages-1048576kB', 'hugepages-2048kB', 'hugepages-64kB', 'other']), [2 ** 16, 2 ** 21, 2 ** 30]);
  t.deepEqual(pageSizes([]), []);
});
test('sizes as control groups name them', t => { t.deepEqual([2 ** 16, 2 ** 21, 2 ** 25, 2 ** 30, 2 ** 34].map(pageSizeName), ['64KB', '2MB', '32MB', '1GB', '16GB']); });
