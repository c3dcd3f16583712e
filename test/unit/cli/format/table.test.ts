import test from 'ava';
import { formatTable } from '../../../../cli/format/table.ts';

test('columns are aligned by code points, lines end without spaces, empty cells are -', t => {
  t.is(formatTable({ head: ['A', 'LONG', 'C'], rows: [['🚀🚀', '', 'x'], ['b', 'cc', '']] }), 'A    LONG   C\n🚀🚀   -      x\nb    cc     -\n');
});

test('a cell cannot act on the terminal', t => {
  t.is(formatTable({ head: ['A'], rows: [['\u001b[2J\n']] }), 'A\n\\u001b[2J\\u000a\n');
});
