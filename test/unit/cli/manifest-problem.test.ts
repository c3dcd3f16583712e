import test from 'ava';
import { formatProblem } from '../../../cli/manifest-problem.ts';

test('a problem is one line with its place, and no control character reaches the terminal', t => {
  const problem = { file: 'shop.yaml', line: 6, column: 5, path: 'services.web.image', message: 'not \x1b[31mfound' };
  const line = formatProblem(problem);
  t.true(line.startsWith('shop.yaml:6:5 services.web.image: not '));
  t.false(line.includes('\x1b'));
});
