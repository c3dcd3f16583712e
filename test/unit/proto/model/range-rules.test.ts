import test from 'ava';
import { checkRange } from '#model/range-rules.ts';

test('both ends are in the range', t => {
  t.deepEqual([...checkRange(1, 'p', 1, 3), ...checkRange(3, 'p', 1, 3)], []);
});

test('what is outside, not whole or no number is a violation', t => {
  for (const value of [0, 4, 1.5, Number.NaN, Infinity]) {
    t.regex(checkRange(value, 'p', 1, 3)[0]?.message ?? 'accepted', /at least 1 and at most 3/);
  }
});

test('a rounded number is not repeated', t => {
  t.notRegex(checkRange(2 ** 60, 'p', 1, 3)[0]?.message ?? '', /got/);
});
