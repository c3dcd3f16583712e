import test from 'ava';
import { commandPath, completeWords, completionScript, explainUnknown, listCommands, SHELLS } from '../../../cli/completion.ts';

const ROOT = {
  name: 'clusterctl', flags: ['--output', '--namespace'], children: [
    { name: 'get', flags: ['--watch'], children: [] }, { name: 'node', flags: [], children: [{ name: 'drain', flags: ['--detach'], children: [] }, { name: 'ls', flags: [], children: [] }] },
  ],
};

const completes = test.macro({
  exec(t, words: readonly string[], expected: readonly string[]) { t.deepEqual(completeWords(ROOT, words), expected); },
  title: (_, words: readonly string[]) => `completes ${JSON.stringify(words)}`,
});
test(completes, [''], ['get', 'node']);
test(completes, ['g'], ['get']);
test(completes, ['node', ''], ['drain', 'ls']);
test(completes, ['node', 'drain', '--de'], ['--detach']);
test(completes, ['get', '--'], ['--namespace', '--output', '--watch']);
test(completes, ['nothing'], []);

test('each script asks the program itself', t => {
  for (const shell of SHELLS) {
    t.regex(completionScript(shell), /completion words --/);
  }
});

test('the commands that words name; arguments and flags are passed over', t => {
  t.deepEqual(commandPath(ROOT, ['--output', 'json', 'node', 'drain', 'n1']).map(({ name }) => name), ['clusterctl', 'node', 'drain']);
});
test('an unknown command: the near one, or what there is', t => {
  const node = ROOT.children[1] ?? ROOT;
  t.is(explainUnknown(ROOT, 'gte'), "unknown command 'gte'; did you mean 'get'?");
  t.is(explainUnknown(node, 'explode'), "unknown command 'explode'; node has drain, ls");
  t.is(explainUnknown(ROOT, 'cordon'), "unknown command 'cordon'; here it is: clusterctl node cordon NODE");
  t.is(explainUnknown(node, 'pods'), "unknown command 'pods'; node has drain, ls");
  t.is(listCommands({ name: 'x', flags: [], children: Array.from({ length: 20 }, (_, index) => ({ name: String(index), flags: [], children: [] })) }), 'see x --help');
});
