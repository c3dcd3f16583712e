import test from 'ava';
import { LabelCounts } from '../../../../controller/schedule/label-counts.ts';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { node, snapshot } from '../../../support/builders.ts';

const nodes = [node('n1', { labels: { zone: 'a' } }), node('n2', { labels: { zone: 'b' } }), node('n3'), node('n4')];
const table = new NodeTable(snapshot({ nodes }));

test('counts tasks by the value of each label; nodes without it are one group', t => {
  const counts = new LabelCounts(table, ['zone', 'node'], [0, 0, 2]);
  counts.add(1);
  t.deepEqual([0, 1, 2, 3].map(row => counts.count('zone', row)), [2, 1, 1, 1]);
  t.deepEqual([0, 1, 2].map(row => counts.count('node', row)), [2, 1, 1]);
  t.is(counts.count('rack', 0), 0);
  t.is(counts.total, 4);
});

test('a column goes on with the counts', t => {
  const counts = new LabelCounts(table, ['zone'], []);
  const { bucketOf, rank } = counts.column('zone');
  counts.add(3);
  t.deepEqual([0, 1, 2, 3].map(row => rank[bucketOf[row] ?? 0]), [0, 0, 1, 1]);
  t.throws(() => counts.column('rack'), { instanceOf: RangeError });
});
