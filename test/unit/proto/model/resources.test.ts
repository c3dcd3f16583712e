import test from 'ava';
import { addResources, fitsInto, NO_RESOURCES, subtractResources } from '#model/resources.ts';

const half = { milliCpu: 500, memoryBytes: 100 };
const whole = { milliCpu: 1_000, memoryBytes: 200 };

test('two halves make a whole, and a whole less a half is a half', t => {
  t.deepEqual(addResources(half, half), whole);
  t.deepEqual(subtractResources(whole, half), half);
});

test('a need fits when every dimension does; exactly full is a fit', t => {
  t.true(fitsInto(whole, whole));
  t.true(fitsInto(NO_RESOURCES, NO_RESOURCES));
  t.false(fitsInto({ ...half, milliCpu: 1_001 }, whole));
  t.false(fitsInto({ ...half, memoryBytes: 201 }, whole));
});
