import test from 'ava';
import { parseDocument } from 'yaml';
import type { RawValue } from '#model/raw-value.ts';
import { buildTree, resolvePlainScalar } from '../../../cli/yaml-tree.ts';
import type { RawTree } from '../../../cli/yaml-tree.ts';

function tree(text: string, variables: Readonly<Record<string, string>> = {}): RawTree {
  return buildTree(parseDocument(text, { schema: 'failsafe', uniqueKeys: false }), new Map(Object.entries(variables)), offset => text.slice(0, offset).split('\n').length);
}
function at(raw: RawValue, key: string): RawValue | undefined {
  return raw instanceof Map ? raw.get(key) as RawValue | undefined : undefined;
}

test('plain scalars by YAML 1.2\'s core schema, with their text', t => {
  t.deepEqual(['', '~', 'True', '0755', '0o17', '0x1F', '-3', '1.10', '.5', '1e3', 'yes', '1_000', '9007199254740993'].map(resolvePlainScalar), [
    { text: '', value: null }, { text: '~', value: null }, { text: 'True', value: true }, { text: '0755', value: 755 }, { text: '0o17', value: 15 },
    { text: '0x1F', value: 31 }, { text: '-3', value: -3 }, { text: '1.10', value: 1.1 }, { text: '.5', value: 0.5 }, { text: '1e3', value: 1000 },
    'yes', '1_000', { text: '9007199254740993', value: 9_007_199_254_740_993n },
  ]);
});

test('a quoted scalar is text', t => {
  t.deepEqual([at(tree('a: "1"').raw, 'a'), at(tree('a: !!str 1').raw, 'a')], ['1', { text: '1', value: 1 }]);
});

test('a number may come from a variable, in a plain scalar only', t => {
  t.deepEqual(at(tree('a: ${N}', { N: '3' }).raw, 'a'), { text: '3', value: 3 });
  t.is(at(tree('a: "${N}"', { N: '3' }).raw, 'a'), '3');
});

test('variables in the content of a config are expanded as everywhere, and $$ is a dollar', t => {
  const content = (text: string, variables: Record<string, string> = {}): unknown => {
    const { raw, problems } = tree(`configs: { c: { content: "${text}" } }`, variables);
    return problems.length > 0 ? problems : at(at(at(raw, 'configs') ?? '', 'c') ?? '', 'content');
  };
  t.is(content('name=${N} $$uri $uri $${N}', { N: 'shop' }), 'name=shop $uri $uri ${N}');
  t.like(content('${N}'), [{ path: 'configs.c.content', message: 'variable N is not set; give --var N=... or write ${N:-default}; $${N} keeps the text ${N}' }]);
});

const complains = test.macro({
  exec(t, text: string, path: string, message: RegExp) {
    const { problems } = tree(text);
    t.deepEqual(problems.map(problem => problem.path), [path]);
    t.regex(problems[0]?.message ?? '', message);
  },
  title: (_, text) => JSON.stringify(text),
});
test(complains, 'a: 1\nb: 2\na: 3', 'a', /duplicate key; first at line 1/);
test(complains, 'a: &x {}\nb:\n  <<: *x', 'b.<<', /merge keys/);
test(complains, 'a: !!js/function x', 'a', /tags are not allowed/);
test(complains, '123: x', '', /the key '123' must be quoted/);
test(complains, '? [a]\n: x', '', /a key must be text/);
test(complains, String.raw`a: "\ud800"`, 'a', /half a character/);
test(complains, 'a: &a [*a]', 'a[0]', /stands inside what it names/);
test(complains, 'a: *b', 'a', /no anchor &b/);
test(complains, 'a: ${NOPE}', 'a', /NOPE is not set/);

test('an alias stands for what it names', t => {
  t.deepEqual(at(tree('a: &x [1]\nb: *x').raw, 'b'), [{ text: '1', value: 1 }]);
});

test('every path has the place of its key', t => {
  const { places } = tree('a:\n  b: [x, y]\n');
  t.deepEqual([...places], [['', 0], ['a', 0], ['a.b', 5], ['a.b[0]', 9], ['a.b[1]', 12]]);
});
