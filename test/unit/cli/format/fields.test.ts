import test from 'ava';
import { formatFields } from '../../../../cli/format/fields.ts';

test('fields as lines, nested ones indented, empty ones left out', t => {
  t.is(formatFields({ name: 'web', none: null, empty: [], tags: ['a', 'b'], limits: { cpu: 1 }, uses: [{ x: 1 }], odd: 'a\u001b[31m' }, ''),
    'name: web\ntags: a, b\nlimits:\n  cpu: 1\nuses:\n  - {"x":1}\nodd: a\\u001b[31m\n');
});
