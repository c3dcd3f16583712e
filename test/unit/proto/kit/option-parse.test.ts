import { parseArgs } from 'node:util';
import test from 'ava';
import { joinRepeats, parseOption } from '#kit/option-parse.ts';

const OPTIONS = {
  list: parseOption({ value: 'NAME,...', fallback: 'a,b' }), bare: parseOption({ value: 'NAME,...' }),
  word: parseOption({ value: 'NAME', fallback: 'x' }), quiet: parseOption({}),
};
const parsed = (...args: readonly string[]): object => ({ ...joinRepeats(parseArgs({ args: [...args], options: OPTIONS, strict: true }).values) });

test('a list that is given twice is one list', t => {
  t.deepEqual(parsed('--list', 'c,d', '--list', 'e', '--bare', 'f'), { list: 'c,d,e', bare: 'f', word: 'x' });
});

test('what is not given is the default, a word given twice the last one', t => {
  t.deepEqual(parsed('--word', 'y', '--word', 'z', '--quiet'), { list: 'a,b', word: 'z', quiet: true });
});
