import test from 'ava';
import { formatFields } from '../../../../cli/format/fields.ts';

test('fields as lines, nested ones indented, empty ones left out', t => {
  t.is(formatFields({ name: 'web', none: null, empty: [], tags: ['a', 'b'], limits: { memoryBytes: 1_024 }, labels: { cacheBytes: '32' }, uses: [{ x: 1, y: null, z: 'z' }], odd: 'a\u001b[31m' }, ''),
    'name: web\ntags: a, b\nlimits:\n  memory: 1Ki\nlabels:\n  cacheBytes: 32\nuses:\n  - x: 1, z: z\nodd: a\\u001b[31m\n');
});
