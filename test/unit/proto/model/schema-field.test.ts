import test from 'ava';
import type { Violation } from '#model/errors.ts';
import { fromPlain } from '#model/raw-value.ts';
import { SchemaField } from '#model/schema-field.ts';

function field(plain: unknown): { readonly root: SchemaField; readonly violations: Violation[] } {
  const violations: Violation[] = [];
  return { root: new SchemaField(fromPlain(plain), violations), violations };
}

const complains = test.macro((t, plain: unknown, read: (root: SchemaField) => unknown, path: string, message: RegExp) => {
  const { root, violations } = field(plain);
  read(root);
  t.deepEqual(violations.map(violation => violation.path), [path]);
  t.regex(violations[0]?.message ?? '', message);
});
test('a number is no text', complains, { a: 1 }, (root: SchemaField) => root.at('a').text(), 'a', /must be text, got 1; quote it: "1"/);
test('text is no number', complains, { a: '3' }, (root: SchemaField) => root.at('a').integer(0), 'a', /must be a whole number, got '3'/);
test('a fraction is no whole number', complains, { a: 1.5 }, (root: SchemaField) => root.at('a').integer(0), 'a', /whole number, got 1.5/);
test('text is no boolean', complains, { a: 'yes' }, (root: SchemaField) => root.at('a').boolean(false), 'a', /true or false, got 'yes'/);
test('null is no source text', complains, { a: null }, (root: SchemaField) => root.at('a').source(), 'a', /has no value/);
test('what a mapping may look like is told', complains, { a: 'x' }, (root: SchemaField) => { root.at('a').checkKeys({ known: ['b'], example: '{ b: 1 }' }); }, 'a', /must be a mapping, got 'x'; write \{ b: 1 \}/);
test('a list is no mapping', complains, { a: [] }, (root: SchemaField) => root.at('a').entries(), 'a', /must be a mapping, got a list/);
test('text is no list', complains, { a: 'x' }, (root: SchemaField) => root.at('a').items(), 'a', /must be a list, got 'x'/);
test('an unknown key has a suggestion', complains, { nmae: 1 }, (root: SchemaField) => { root.checkKeys({ known: ['name'] }); }, 'nmae', /did you mean 'name'\?/);
test('a later key is said to be so', complains, { dns: 1 }, (root: SchemaField) => { root.checkKeys({ known: ['name'], later: ['dns'] }); }, 'dns', /not available in this version/);
test('a required text', complains, {}, (root: SchemaField) => root.at('a').requiredText(), 'a', /required/);
test('a word that is none', complains, { a: 'x' }, (root: SchemaField) => root.at('a').choice({ words: ['y', 'z'] }, 'y'), 'a', /'x' is none of y, z/);
test('another word than the only one', complains, { a: 'x' }, (root: SchemaField) => root.at('a').choice({ words: ['y'] }, 'y'), 'a', /^must be y, got 'x'$/);
test('an integer beyond 2^53 is repeated as written', t => {
  const violations: Violation[] = [];
  t.is(new SchemaField({ text: '9007199254740993', value: 9_007_199_254_740_993n }, violations).integer(7), 7);
  t.is(violations[0]?.message, '9007199254740993 is too large');
});

test('an absent field is no complaint and the fallback is the answer', t => {
  const { root, violations } = field({});
  const absent = root.at('a');
  t.deepEqual([absent.text(), absent.source(), absent.integer(3), absent.number(0.5), absent.boolean(true), absent.items(), absent.entries(), absent.choice({ words: ['x'] }, 'x')],
    [undefined, undefined, 3, 0.5, true, [], [], 'x']);
  t.deepEqual(violations, []);
});

test('a word is no amount', complains, { a: 'x' }, (root: SchemaField) => root.at('a').number(1), 'a', /must be a number, got 'x'/);
test('a number may have a fraction', t => {
  t.is(field({ a: 2.5 }).root.at('a').number(1), 2.5);
});

test('x- keys are free', t => {
  const { root, violations } = field({ 'x-note': 1 });
  root.checkKeys({ known: [] });
  t.deepEqual(violations, []);
});

test('source is what stands in the file', t => {
  t.is(new SchemaField({ text: '0755', value: 755 }, []).source(), '0755');
});
