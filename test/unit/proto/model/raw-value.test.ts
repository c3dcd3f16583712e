import test from 'ava';
import { childPath, describeKind, fromPlain, isRawList, isRawMap, itemPath, walkPaths } from '#model/raw-value.ts';

test('paths name keys and items', t => {
  t.is(childPath('', 'services'), 'services');
  t.is(itemPath(childPath('services', 'web'), 0), 'services.web[0]');
});

test('walkPaths visits parents first, in file order', t => {
  t.deepEqual([...walkPaths(fromPlain({ b: [1, { c: 'x' }], a: null }))].map(({ path }) => path), ['', 'b', 'b[0]', 'b[1]', 'b[1].c', 'a']);
});

test('fromPlain keeps text apart from what YAML reads otherwise', t => {
  const raw = fromPlain({ text: '1', number: 1, yes: true, none: null, list: [] });
  t.true(isRawMap(raw));
  t.deepEqual(isRawMap(raw) ? [...raw.values()].map(describeKind) : [], ['text', 'a number', 'true or false', 'null', 'a list']);
  t.true(isRawMap(raw) && isRawList(raw.get('list')));
  t.throws(() => fromPlain(() => 1), { instanceOf: RangeError });
});
