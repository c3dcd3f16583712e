import test from 'ava';
import { completeNames, wantedNames, wantedNamespace } from '../../../cli/completion-names.ts';
import { clusterView } from '../../support/cluster-view.ts';

const verb = (name: string, ...children: readonly string[]): { readonly name: string; readonly flags: readonly string[]; readonly children: readonly { readonly name: string; readonly flags: readonly string[]; readonly children: readonly [] }[] } => (
  { name, flags: [], children: children.map(child => ({ name: child, flags: [], children: [] })) });
const ROOT = { name: 'clusterctl', flags: [], children: [verb('get'), verb('logs'), verb('describe'), verb('scale'), verb('run'), verb('node', 'drain'), verb('volume', 'rm')] };
const view = clusterView();

const offers = test.macro({
  exec: (t, words: readonly string[], expected: readonly string[]) => { t.deepEqual(completeNames(wantedNames(ROOT, words), words.at(-1) ?? '', view), expected); },
  title: (_, words: readonly string[]) => `after ${JSON.stringify(words)}`,
});
test(offers, ['logs', ''], ['db-0', 'shop/db', 'shop/web', 'web-0-webaa', 'web-1-webba']);
test(offers, ['logs', '-f', 'shop/w'], ['shop/web']);
test(offers, ['describe', 'n'], ['n1', 'n2']);
test(offers, ['describe', 'svc/'], ['svc/shop/db', 'svc/shop/web']);
test(offers, ['scale', ''], ['shop/db', 'shop/web']);
test(offers, ['node', 'drain', ''], ['n1', 'n2']);
test(offers, ['run', '--node', ''], ['n1', 'n2']);
test(offers, ['run', ''], []);
test(offers, ['logs', '-'], []);
test(offers, ['logs', '-n', ''], []);
test(offers, ['node', ''], []);
test(offers, ['get', 's'], ['secrets', 'svc']);
test(offers, ['get', '-o', 'nodes', 'n'], ['n1', 'n2']);
test(offers, ['get', 'svc', 'shop/d'], ['shop/db']);
test(offers, ['get', 'svc,no'], ['svc,nodes']);
test(offers, ['get', 'svc,nodes', ''], ['n1', 'n2', 'shop/db', 'shop/web']);
test(offers, ['get', 'svc/shop/w'], ['svc/shop/web']);
test(offers, ['get', 'svc/shop/web', 'node/n1'], ['node/n1']);

test('the namespace is that of the words', t => {
  t.deepEqual([['logs', ''], ['logs', '-n', 'prod', ''], ['-A', 'logs', ''], ['logs', '-n']].map(wantedNamespace), [{ namespace: 'default' }, { namespace: 'prod' }, {}, { namespace: 'default' }]);
});

test('names that no view has are asked for, and offered', t => {
  t.like(wantedNames(ROOT, ['volume', 'rm', 'd']), { kinds: [], types: [], listed: 'volume' });
  t.deepEqual(completeNames(wantedNames(ROOT, ['volume', 'rm', 'd']), 'd', view, ['old', 'data-1', 'data-0']), ['data-0', 'data-1']);
  t.is(wantedNames(ROOT, ['volume', 'rm', '--f']).listed, undefined);
  t.is(wantedNames(ROOT, ['get', 'volumes', 'd']).listed, 'volume');
});
