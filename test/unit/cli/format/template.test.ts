import test from 'ava';
import { readFormat } from '../../../../cli/format/template.ts';
import type { Fields } from '../../../../cli/format/template.ts';

interface Row {
  readonly id: string;
  readonly node: string;
}

const FIELDS: Fields<Row> = { ID: { heading: 'TASK ID', of: row => row.id }, Node: { heading: 'NODE', of: row => row.node } };
const ROWS: readonly Row[] = [{ id: 'abc', node: 'n1' }, { id: 'defgh', node: '' }];

const writes = test.macro({
  exec: (t, template: string, expected: string) => { t.is(readFormat(template, FIELDS)?.write(ROWS), expected); },
  title: (_, template: string) => `--format ${JSON.stringify(template)}`,
});
test(writes, '{{.ID}}', 'abc\ndefgh\n');
test(writes, '{{.ID}}\\t{{ .Node }}', 'abc\tn1\ndefgh\t\n');
test(writes, '{{.ID}}\t{{.Node}}', 'abc\tn1\ndefgh\t\n');
test(writes, 'task {{upper .ID}} on\\n{{lower .Node}}!', 'task ABC on\nn1!\ntask DEFGH on\n!\n');
test(writes, 'no field', 'no field\nno field\n');
test(writes, 'table {{.ID}}\\t{{.Node}}', 'TASK ID   NODE\nabc       n1\ndefgh     -\n');
test(writes, 'json', '{"ID":"abc","Node":"n1"}\n{"ID":"defgh","Node":""}\n');
test(writes, '{{json .}}', '{"ID":"abc","Node":"n1"}\n{"ID":"defgh","Node":""}\n');
test(writes, '{{json .ID}}', '"abc"\n"defgh"\n');

test('without a template, and with `table` alone, the usual table is left to the caller', t => {
  t.deepEqual([undefined, '', 'table'].map(text => readFormat(text, FIELDS)), [undefined, undefined, undefined]);
});

const refuses = test.macro({
  exec: (t, template: string, message: string | RegExp) => { t.throws(() => readFormat(template, FIELDS), { name: 'UsageError', message }); },
  title: (_, template: string) => `no template: ${JSON.stringify(template)}`,
});
test(refuses, '{{.Nod}}', "--format: there is no field 'Nod'; did you mean 'Node'?; there are ID, Node");
test(refuses, '{{.constructor}}', "--format: there is no field 'constructor'; there are ID, Node");
test(refuses, '{{.ID', "--format: '{{.ID' has no }}");
test(refuses, '{{range .ID}}', /\{\{range \.ID\}\} is not understood; write \{\{\.FIELD\}\}/);
test(refuses, '{{toString .ID}}', /is not understood/);
test(refuses, '{{.}}', /is not understood/);
test(refuses, '{{ID}}', /is not understood/);

test('what a terminal could act on is shown, not passed; JSON keeps it', t => {
  const rows = [{ id: 'a\u001b[2J', node: '' }];
  t.is(readFormat('{{.ID}}', FIELDS)?.write(rows), 'a\\u001b[2J\n');
  t.is(readFormat('{{json .ID}}', FIELDS)?.write(rows), '"a\\u001b[2J"\n');
});
test('the fields that are named', t => {
  t.deepEqual([...readFormat('{{.Node}} {{json .}}', FIELDS)?.uses ?? []], ['Node']);
});
