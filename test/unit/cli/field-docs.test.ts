import test from 'ava';
import { choice, leaf, list, mapping, named, required } from '../../../cli/field-docs.ts';

test('a description has only what was said', t => {
  t.deepEqual(leaf('a', 'text', 'b'), { name: 'a', shape: 'one', leaf: 'text', about: 'b' });
  t.deepEqual(required(leaf('a', 'text', 'b', 'c')), { name: 'a', shape: 'one', leaf: 'text', about: 'b', default: 'c', isRequired: true });
  t.deepEqual(choice('a', ['x'], 'b'), { name: 'a', shape: 'one', words: ['x'], about: 'b' });
  t.deepEqual(mapping('a', 'b', [], { leaf: 'duration' }), { name: 'a', shape: 'one', fields: [], about: 'b', leaf: 'duration' });
  t.deepEqual(list('a', undefined, 'b', []), { name: 'a', shape: 'list', about: 'b', fields: [] });
  t.deepEqual(named('a', 'integer', 'b'), { name: 'a', shape: 'named', leaf: 'integer', about: 'b' });
});
