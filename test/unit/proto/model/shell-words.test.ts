import test from 'ava';
import { splitShellWords } from '#model/shell-words.ts';

const splits = test.macro({
  exec(t, text: string, words: readonly string[]) { t.deepEqual(splitShellWords(text), { value: words }); },
  title: (_, text) => `splits ${JSON.stringify(text)}`,
});
test(splits, '', []);
test(splits, '  serve --port  8080 ', ['serve', '--port', '8080']);
test(splits, `sh -c 'echo "hi  there"'`, ['sh', '-c', 'echo "hi  there"']);
test(splits, `a"b c"d`, ['ab cd']);
test(splits, `"a\\"b" 'c\\d' e\\ f`, ['a"b', 'c\\d', 'e f']);
test(splits, `""`, ['']);
test(splits, 'echo $HOME', ['echo', '$HOME']);

test('a quote that is never closed is refused', t => {
  t.deepEqual(splitShellWords(`sh -c 'echo`), { problem: "has a quote that is never closed: '" });
});
test('a lone backslash at the end is refused', t => {
  t.deepEqual(splitShellWords('a \\'), { problem: 'ends in a lone backslash' });
});
