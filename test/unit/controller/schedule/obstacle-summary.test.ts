import test from 'ava';
import { summarize } from '../../../../controller/schedule/obstacle-summary.ts';
import { parseNodeId } from '#model/ids.ts';

test('a group counts all of its nodes and lists a hundred', t => {
  const many = Array.from({ length: 300 }, (_, index) => ({ node: parseNodeId(`n${String(index)}`), kind: 'memory', need: 512, free: index } as const));
  const { total, groups } = summarize([...many, { node: parseNodeId('m'), kind: 'taint', taint: 'spot' }]);
  t.is(total, 301);
  t.deepEqual(groups.map(one => [one.count, one.nodes.length, one.best.node]), [[300, 100, parseNodeId('n299')], [1, 1, parseNodeId('m')]]);
});
