import test from 'ava';
import { choice, leaf, list, mapping, named, required } from '../../../../cli/field-docs.ts';
import { explainItem, formatExplain } from '../../../../cli/format/explain.ts';

const field = mapping('update', 'how tasks are replaced', [
  leaf('max_surge', 'integer', 'tasks beyond the replicas', '1'), required(choice('mode', ['a', 'b'], 'which')), list('steps', 'percent', 'shares'), named('deep', undefined, 'by name', [leaf('x', 'text', 'a text')]),
]);

test('a field: its type, default and meaning, and those below it', t => {
  t.is(formatExplain({ path: 'services.update.max_surge', field: leaf('max_surge', 'integer', 'tasks beyond the replicas', '1') }, false),
    'FIELD:    services.update.max_surge\nTYPE:     integer\nDEFAULT:  1\n\n  tasks beyond the replicas\n');
  t.is(formatExplain({ path: 'update', field }, false), `FIELD:    update
TYPE:     mapping

  how tasks are replaced

FIELDS:
  max_surge  <integer, default 1>
      tasks beyond the replicas
  mode  <one of a, b, required>
      which
  steps  <list of percent>
      shares
  deep  <mapping of NAME to mapping>
      by name
`);
});
test('recursive: all fields below it, as a tree', t => {
  t.regex(formatExplain({ path: '', field }, true), /^FIELD: {4}App\n[^]*\n {2}deep {2}<mapping of NAME to mapping>\n {4}x {2}<text>\n$/);
});
test('for scripts', t => {
  const item = explainItem({ path: 'update', field }, false);
  t.like(item, { path: 'update', name: 'update', type: 'mapping', default: null, required: false, about: 'how tasks are replaced' });
  const fields = item['fields'] as readonly Record<string, unknown>[];
  t.deepEqual(fields[1], { name: 'mode', type: 'one of a, b', values: ['a', 'b'], default: null, required: true, about: 'which' });
  t.false('fields' in (fields[3] ?? {}));
  t.true('fields' in ((explainItem({ path: 'update', field }, true)['fields'] as readonly object[])[3] ?? {}));
});
