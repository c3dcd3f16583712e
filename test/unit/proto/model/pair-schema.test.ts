import test from 'ava';
import { readPairs } from '#model/pair-schema.ts';
import type { Violation } from '#model/errors.ts';
import { fromPlain } from '#model/raw-value.ts';
import { SchemaField } from '#model/schema-field.ts';

function read(plain: unknown): { readonly pairs: ReturnType<typeof readPairs>; readonly violations: readonly Violation[] } {
  const violations: Violation[] = [];
  return { pairs: readPairs(new SchemaField(fromPlain(plain), violations, 'e')), violations };
}

test('a mapping and a list say the same, sorted by name', t => {
  const expected = [{ name: 'A', value: '1' }, { name: 'B', value: 'x=y' }];
  t.deepEqual(read({ B: 'x=y', A: 1 }).pairs, expected);
  t.deepEqual(read(['B=x=y', 'A=1']).pairs, expected);
});

test('a name without a value is refused', t => {
  t.deepEqual(read(['A']).violations, [{ path: 'e[0]', message: 'has no value; write NAME=value' }]);
  t.is(read({ A: null }).violations[0]?.path, 'e.A');
});
