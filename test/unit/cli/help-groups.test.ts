import test from 'ava';
import { Command } from 'commander';
import { buildProgram } from '../../../cli/clusterctl.ts';
import { groupByHead, shortAbout } from '../../../cli/help-groups.ts';

test('each verb stands under a head of the list', t => {
  const help = buildProgram(() => Promise.resolve()).helpInformation();
  t.notRegex(help, /^Commands:$/m);
  t.regex(help, /^Options:\n[^]*^Deploy and change:\n {2}apply [^]*^Nodes and cluster:\n/m);
});
test('a line of the list is no wider than a terminal', t => {
  const program = buildProgram(() => Promise.resolve()).configureOutput({ getOutHelpWidth: () => 80 });
  let text = '';
  program.configureOutput({ writeOut: part => { text += part; } }).outputHelp();
  t.deepEqual(text.split('\n').filter(line => line.length > 80), []);
});
test('of what a verb is about the list says the first words', t => {
  t.is(shortAbout(new Command('x').description('what it does; and more')), 'what it does');
  t.is(shortAbout(new Command('x').description('what it does: this')), 'what it does');
});
test('heads that are not known come first', t => {
  t.deepEqual([...groupByHead([], [new Command('a'), new Command('b')], command => ({ a: 'Images:', b: 'Options:' })[command.name()] ?? '').keys()], ['Options:', 'Images:']);
});
