import test from 'ava';
import { canLimitPages, pageSizeName, pageSizes } from '../../../../agent/cgroup/page-sizes.ts';

test('sizes of a machine, smallest first; what is no size is none', t => {
  t.deepEqual(pageSizes(['hugepages-1048576kB', 'hugepages-2048kB', 'hugepages-64kB', 'other']), [2 ** 16, 2 ** 21, 2 ** 30]);
  t.deepEqual(pageSizes([]), []);
});
test('sizes as control groups name them', t => { t.deepEqual([2 ** 16, 2 ** 21, 2 ** 25, 2 ** 30, 2 ** 34].map(pageSizeName), ['64KB', '2MB', '32MB', '1GB', '16GB']); });
test('version 1 limits the sizes whose files are in the hugetlb hierarchy, none where that is not mounted', t => {
  const read = (path: string): string | undefined => (path === '/h/hugetlb.2MB.limit_in_bytes' ? '1' : undefined);
  const mounted = { version: 1, roots: new Map([['hugetlb', '/h']]) } as const;
  t.deepEqual([2 ** 21, 2 ** 30].map(bytes => canLimitPages(mounted, bytes, read)), [true, false]);
  t.false(canLimitPages({ version: 1, roots: new Map([['memory', '/m'], ['unified', '/u']]) }, 2 ** 21, () => 'hugetlb'));
});
test('version 2 limits all sizes where the hugetlb controller is there', t => {
  const layout = { version: 2, roots: new Map([['unified', '/u']]) } as const;
  t.true(canLimitPages(layout, 2 ** 30, path => (path === '/u/cgroup.controllers' ? 'cpu memory hugetlb pids\n' : undefined)));
  t.false(canLimitPages(layout, 2 ** 21, () => 'cpu memory pids\n'));
});
