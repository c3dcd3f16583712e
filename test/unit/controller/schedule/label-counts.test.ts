import test from 'ava';
import { LabelCounts } from '../../../../controller/schedule/label-counts.ts';
import { node } from '../../../support/builders.ts';

test('counts tasks by the value of each label; nodes without it are one group', t => {
  const [a, b, none] = [node('n1', { labels: { zone: 'a' } }), node('n2', { labels: { zone: 'b' } }), node('n3')];
  const counts = new LabelCounts(['zone', 'node'], [a, a, none]);
  counts.add(b);
  t.deepEqual([a, b, none, node('n4')].map(one => counts.count('zone', one)), [2, 1, 1, 1]);
  t.deepEqual([a, b, none].map(one => counts.count('node', one)), [2, 1, 1]);
  t.is(counts.count('rack', a), 0);
});
