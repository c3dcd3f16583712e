import test from 'ava';
import { CONTAINER_FIELDS, MAIN_CONTAINER_FIELDS } from '../../../cli/container-fields.ts';

test('no field stands in both tables', t => {
  const names = [...CONTAINER_FIELDS, ...MAIN_CONTAINER_FIELDS].map(({ name }) => name);
  t.is(new Set(names).size, names.length);
});
