import test from 'ava';
import { expandVariables, parseEnvironmentFile } from '../../../cli/variables.ts';

const VARIABLES = new Map([['A', '1'], ['EMPTY', '']]);
const expands = test.macro({
  exec(t, text: string, expected: string) { t.deepEqual(expandVariables(text, VARIABLES), { text: expected, problems: [] }); },
  title: (_, text: string) => `expands ${text}`,
});
test(expands, 'x${A}y', 'x1y');
test(expands, '${EMPTY}', '');
test(expands, '${EMPTY:-d}', 'd');
test(expands, '${B:-d e}', 'd e');
test(expands, '${A:?needed}', '1');
test(expands, '$${A} $A $', '${A} $A $');

test('a variable without a value is a problem that says how to give one', t => {
  t.deepEqual(expandVariables('${B} ${C:?say C}', VARIABLES).problems, [
    'variable B is not set; give --var B=... or write ${B:-default}; $${B} keeps the text ${B}', 'variable C is not set: say C',
  ]);
});

test('what cannot be read is a problem', t => {
  t.regex(expandVariables('${1x}', VARIABLES).problems[0] ?? '', /cannot read '\$\{1x\}'/);
  t.regex(expandVariables('${A', VARIABLES).problems[0] ?? '', /cannot read/);
});

test('an environment file', t => {
  const { variables, badLines } = parseEnvironmentFile('# c\n\nA=1\nexport B="x y"\r\nC=\'z\'\nD=a=b \nbad line\n');
  t.deepEqual([...variables], [['A', '1'], ['B', 'x y'], ['C', 'z'], ['D', 'a=b']]);
  t.deepEqual(badLines, [7]);
});
