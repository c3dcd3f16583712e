import test from 'ava';
import type { Command } from 'commander';
import { buildProgram } from '../../../cli/clusterctl.ts';

/** What the program writes and how it ends. */
async function run(...words: readonly string[]): Promise<{ readonly text: string; readonly error: string }> {
  const written: string[] = [];
  const program = buildProgram(() => Promise.resolve());
  const catchAll = (command: Command): void => {
    command.exitOverride().configureOutput({ writeOut: text => written.push(text), writeErr: () => undefined });
    command.commands.forEach(catchAll);
  };
  catchAll(program);
  const error = await program.parseAsync(['node', 'clusterctl', ...words]).then(() => '', (reason: unknown) => String(reason));
  return { text: written.join(''), error };
}

test('help of a verb of a group is that of the verb', async t => {
  const { text, error } = await run('help', 'rollout', 'undo');
  t.regex(text, /^Usage: clusterctl rollout undo /);
  t.is(error, '');
});
test('help of what is not there is refused, with the nearest word or all there are', async t => {
  t.is((await run('help', 'aply')).error, "UsageError: unknown command 'aply'; did you mean 'apply'?");
  t.regex((await run('help', 'rollout', 'explode')).error, /^UsageError: unknown command 'explode'; rollout has abort, history, /);
});
test('each group and each verb shows examples', async t => {
  for (const { name, commands } of buildProgram(() => Promise.resolve()).commands.map(command => ({ name: command.name(), commands: command.commands })).filter(one => one.name !== 'help')) {
    t.regex((await run(name, '--help')).text, /\nExamples:\n {2}\S/, name);
    for (const child of commands.filter(one => one.name() !== 'help')) {
      t.regex((await run(name, child.name(), '--help')).text, /\nExamples:\n {2}\S/, `${name} ${child.name()}`);
    }
  }
});
test('the flags of every command stand behind one line, and are taken all the same', async t => {
  const { text } = await run('ps', '--help');
  t.regex(text, /\n {2}--node <name> /);
  t.notRegex(text, /--all-namespaces|--selector|--timeout <duration>/);
  t.regex(text, /\nGlobal flags \(-n, .*\): clusterctl help flags\n$/);
  const flags = (await run('help', 'flags')).text;
  for (const flag of buildProgram(() => Promise.resolve()).options.filter(({ long }) => long !== '--version')) {
    t.true(flags.includes(`${flag.flags} `), flag.flags);
    t.true(text.includes(`${flag.short ?? flag.long ?? ''},`) || text.includes(`${flag.long ?? ''},`) || text.includes(`${flag.short ?? ''})`), flag.flags);
  }
  t.is((await run('ps', '-n', 'prod', '-o', 'json', '-y')).error, '');
});
test('what follows a verb is an argument of it: its help is shown', async t => {
  t.is((await run('help', 'get', 'foo')).text, (await run('get', '--help')).text);
});
test('the version is told', async t => {
  t.regex((await run('--version')).text, /^clusterctl \(Gantry\) \d+\.\d+\.\d+\n$/);
});

test('with the words of a call, only commands of these names get flags; a call for help gets all', t => {
  const flagsOf = (words: readonly string[], ...path: readonly string[]): readonly string[] => {
    const program = buildProgram(() => Promise.resolve(), words);
    const command = path.reduce<Command | undefined>((at, name) => at?.commands.find(one => one.name() === name), program);
    return command?.options.map(({ long }) => long ?? '') ?? [];
  };
  t.true(flagsOf(['-n', 'prod', 'ps', '-a'], 'ps').includes('--all'));
  t.true(flagsOf(['ps'], 'ps').includes('--output'));
  t.deepEqual(flagsOf(['ps'], 'get'), []);
  t.true(flagsOf(['rollout', 'undo', 'shop/web'], 'rollout', 'undo').includes('--to-revision'));
  for (const words of [[], ['help', 'get'], ['get', '--help'], ['get', '-h'], ['completion', 'words', '--', 'get', '-']]) {
    t.true(flagsOf(words, 'get').includes('--watch'), words.join(' '));
  }
});
