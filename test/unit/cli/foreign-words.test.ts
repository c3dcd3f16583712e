import test from 'ava';
import type { Command } from 'commander';
import { buildProgram } from '../../../cli/clusterctl.ts';
import { foreignWords, wordHere } from '../../../cli/foreign-words.ts';

const PROGRAM = buildProgram(() => Promise.resolve());

function find(words: readonly string[]): Command | undefined {
  return words.reduce<Command | undefined>((at, word) => at?.commands.find(command => command.name() === word), PROGRAM);
}

test('what is named exists, and what is asked for does not', t => {
  for (const word of foreignWords()) {
    const here = (wordHere(word) ?? '').split(' ');
    const group = PROGRAM.commands.find(command => command.name() === here[0]);
    t.truthy(find(here.slice(0, (group?.commands.length ?? 0) > 0 ? 2 : 1)), `${word} -> ${here.join(' ')}`);
    t.is(find([word]), undefined, word);
  }
});
test('words of nobody have no answer', t => {
  t.is(wordHere('explode'), undefined);
  t.is(wordHere('constructor'), undefined);
  t.is(wordHere('drain'), 'node drain NODE');
});
