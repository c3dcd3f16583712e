import test from 'ava';
import type { Command } from 'commander';
import { buildProgram } from '../../../cli/clusterctl.ts';
import { foreignWords, namespaceFlag, wordHere, wordInGroup } from '../../../cli/foreign-words.ts';

const PROGRAM = buildProgram(() => Promise.resolve());

function find(words: readonly string[]): Command | undefined {
  return words.reduce<Command | undefined>((at, word) => at?.commands.find(command => command.name() === word), PROGRAM);
}

test('what is named exists, and what is asked for does not', t => {
  for (const word of foreignWords()) {
    const here = (wordHere(word) ?? '').split(' ');
    const group = PROGRAM.commands.find(command => command.name() === here[0]);
    t.truthy(find(here.slice(0, (group?.commands.length ?? 0) > 0 ? 2 : 1)), `${word} -> ${here.join(' ')}`);
    t.is(find(word.split(' ')), undefined, word);
  }
});
test('words of nobody have no answer', t => {
  t.is(wordHere('explode'), undefined);
  t.is(wordHere('constructor'), undefined);
  t.is(wordHere('drain'), 'node drain NODE');
});
test('the second word counts where it makes a difference', t => {
  t.is(wordHere('compose', 'up'), 'apply -f FILE');
  t.is(wordHere('compose', 'frobnicate'), 'get apps');
  t.is(wordHere('system', 'prune'), 'rmi IMAGE');
  t.is(wordHere('create', 'secret', 'generic'), 'secret create NAME --from-file FILE');
});
test('behind a group, its own verb of another name, or another command', t => {
  t.is(wordInGroup('node', 'ps', ['ls', 'rm']), 'ps --node NODE');
  t.is(wordInGroup('secret', 'delete', ['ls', 'rm']), 'secret rm');
  t.is(wordInGroup('token', 'delete', ['create']), undefined);
  t.is(wordInGroup('node', 'constructor', ['ls']), undefined);
});
test('the namespace of the call is kept, in each way to write it', t => {
  for (const words of [['-n', 'prod', 'compose', 'up'], ['compose', 'up', '--namespace', 'prod'], ['--namespace=prod', 'up'], ['-nprod', 'up']]) {
    t.is(namespaceFlag('apply -f FILE', words), ' -n prod');
  }
  t.is(namespaceFlag('get svc', ['-A', 'services']), ' -A');
  t.is(namespaceFlag('get svc', ['services']), '');
  t.is(namespaceFlag('node ls', ['-n', 'prod', 'nodes']), '');
  t.is(namespaceFlag('get svc', ['-n', 'services']), ' -n services');
});
