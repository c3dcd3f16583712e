import test from 'ava';
import { isSameJson } from '../../../../proto/model/same-json.ts';

const same = test.macro({
  exec(t, left: unknown, right: unknown, expected: boolean) {
    t.is(isSameJson(left, right), expected);
    t.is(isSameJson(right, left), expected);
  },
  title: (name = '') => `isSameJson: ${name}`,
});

test('equal values', same, { a: 1, b: ['x', { c: null }] }, { a: 1, b: ['x', { c: null }] }, true);
test('the order of fields says nothing', same, { a: 1, b: 2 }, { b: 2, a: 1 }, true);
test('a field that is undefined is none', same, { a: 1, b: undefined }, { a: 1 }, true);
test('undefined fields do not stand for others', same, { a: undefined, b: 1 }, { a: 1, b: undefined }, false);
test('another value', same, { a: 1 }, { a: 2 }, false);
test('a text is no number', same, { a: 1 }, { a: '1' }, false);
test('a field more', same, { a: 1 }, { a: 1, b: 2 }, false);
test('deep in a list', same, [{ a: [1, 2] }], [{ a: [1, 3] }], false);
test('the order of a list counts', same, [1, 2], [2, 1], false);
test('a list is as long as the other', same, [1], [1, 2], false);
test('a list is no object', same, [], {}, false);
test('null is no object', same, null, {}, false);
test('absent as a whole', same, undefined, { a: 1 }, false);
