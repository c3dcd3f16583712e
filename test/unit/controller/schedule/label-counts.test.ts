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

test('what is given back is empty for the next', t => {
  const [first, second] = [new LabelCounts(table, ['zone'], [0, 0]), new LabelCounts(table, ['zone'], [1])];
  const { rank } = first.column('zone');
  first.release();
  t.is(second.column('zone').rank, rank);
  t.deepEqual([0, 1, 2].map(row => second.count('zone', row)), [0, 1, 0]);
  t.is(first.count('zone', 0), 2, 'counted anew where it is asked again');
});

test('a column goes on with the counts', t => {
  const counts = new LabelCounts(table, ['zone'], []);
  const { bucketOf, rank } = counts.column('zone');
  counts.add(3);
  t.deepEqual([0, 1, 2, 3].map(row => rank[bucketOf[row] ?? 0]), [0, 0, 1, 1]);
  t.throws(() => counts.column('rack'), { instanceOf: RangeError });
});
