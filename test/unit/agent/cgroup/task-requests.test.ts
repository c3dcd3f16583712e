import test from 'ava';
import { requestFiles, sumOfRequests } from '../../../../agent/cgroup/task-requests.ts';

test('v1: shares and the soft limit, where their controllers are mounted', t => {
  const files = requestFiles({ version: 1, roots: new Map([['cpu', '/c'], ['memory', '/m'], ['pids', '/p']]) });
  t.deepEqual(files.map(({ root, name }) => `${root}/${name}`), ['/c/cpu.shares', '/m/memory.soft_limit_in_bytes']);
  t.deepEqual(requestFiles({ version: 1, roots: new Map([['pids', '/p']]) }), []);
});
test('v2: weight and low; low is limited by the groups above', t => {
  const files = requestFiles({ version: 2, roots: new Map([['unified', '/u']]) });
  t.deepEqual(files.map(({ name, isBoundedAbove }) => [name, isBoundedAbove]), [['cpu.weight', false], ['memory.low', true]]);
});
test('sums: absent files, no limit and what is too big count nothing; the kernel has a highest value', t => {
  t.is(sumOfRequests(['512\n', '1024\n'], 262_144), 1536);
  t.is(sumOfRequests([undefined, 'max\n', '9223372036854771712\n', '7'], 100), 7);
  t.is(sumOfRequests(['6000', '6000'], 10_000), 10_000);
  t.is(sumOfRequests([], 10), 0);
});
