import test from 'ava';
import { formatTable, GrowingTable } from '../../../../cli/format/table.ts';

test('columns are aligned by code points, lines end without spaces, empty cells are -', t => {
  t.is(formatTable({ head: ['A', 'LONG', 'C'], rows: [['🚀🚀', '', 'x'], ['b', 'cc', '']] }), 'A    LONG   C\n🚀🚀   -      x\nb    cc     -\n');
});

test('rows that come later stand under the same head, as wide as the widest cell until then', t => {
  const table = new GrowingTable();
  t.is(table.add({ head: ['A', 'B'], rows: [['long', '1']] }), 'A      B\nlong   1\n');
  t.is(table.add({ head: ['A', 'B'], rows: [['x', '2']] }), 'x      2\n');
  t.is(table.add({ head: ['A', 'B'], rows: [['longer', '3'], ['x', '4']] }), 'longer   3\nx        4\n');
});

test('a cell cannot act on the terminal', t => {
  t.is(formatTable({ head: ['A'], rows: [['\u001b[2J\n']] }), 'A\n\\u001b[2J\\u000a\n');
});
