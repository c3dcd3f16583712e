import test from 'ava';
import { enumCodec, field, gatherUnknown, listField, ownBytes, present, required, WireError } from '#codec/wire.ts';

const codec = enumCodec<'a' | 'b', 1 | 2>('letter', { a: 1, b: 2 });

test('a word has one number, both ways', t => {
  t.is(codec.toWire('b'), 2);
  t.is(codec.fromWire(2), 'b');
});

test('the zero value is refused by name, and a newer number becomes a word of its own', t => {
  t.throws(() => codec.fromWire(0 as 1), { instanceOf: WireError, message: 'letter 0 is missing' });
  t.is(codec.fromWire(3 as 1), 'unknown-3' as 'a');
  t.is(codec.toWire('unknown-3' as 'a'), 3 as 1);
  t.throws(() => codec.toWire('c' as 'a'), { instanceOf: WireError, message: 'letter "c" is not a known word' });
  t.deepEqual(gatherUnknown(() => [codec.fromWire(1), codec.fromWire(3 as 1)]), { value: ['a', 'unknown-3' as 'a'], unknown: ['letter 3'] });
});

test('required names the missing field', t => {
  t.is(required('x', 'f'), 'x');
  t.throws(() => { required(undefined, 'task.pins'); }, { message: 'task.pins is missing' });
});

test('present drops undefined and keeps null, 0, false and empty', t => {
  t.deepEqual(present({ a: undefined, b: null, c: 0, d: false, e: '' }), { b: null, c: 0, d: false, e: '' });
});

test('a field that is not there is an error, a repeated one is empty', t => {
  t.throws(() => field('view', codec).fromWire({}), { message: 'view is missing' });
  t.deepEqual(field('view', codec).toWire('a'), { view: 1 });
  t.deepEqual(listField('views', codec).fromWire({ views: [] }), []);
  t.deepEqual(listField('views', codec).toWire(['a', 'b']), { views: [1, 2] });
});

test('own bytes do not change with the buffer they came from', t => {
  const buffer = Buffer.from([1, 2]);
  const own = ownBytes(buffer);
  buffer[0] = 9;
  t.deepEqual(own, new Uint8Array([1, 2]));
});
