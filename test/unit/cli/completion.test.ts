import test from 'ava';
import { completeWords, completionScript, SHELLS } from '../../../cli/completion.ts';

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
