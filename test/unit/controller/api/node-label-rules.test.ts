import test from 'ava';
import { labelNameProblem, labelValueProblem } from '../../../../controller/api/node-label-rules.ts';

test('names of labels have letters, digits and marks between them', t => {
  t.deepEqual(['zone', 'example.com/rack_1', 'a', 'A-1', `a${'b'.repeat(251)}c`].map(labelNameProblem).filter(one => one !== undefined), []);
  for (const bad of ['', '-a', 'a-', 'a b', 'é', `a${'b'.repeat(252)}c`]) {
    t.regex(labelNameProblem(bad) ?? '', /is not letters, digits/, bad);
  }
});

test('values are one line', t => {
  t.deepEqual(['', 'b', 'x'.repeat(1_024)].map(value => labelValueProblem('zone', value)).filter(one => one !== undefined), []);
  for (const bad of ['a\nb', 'x'.repeat(1_025), '\u001b[31m']) {
    t.regex(labelValueProblem('zone', bad) ?? '', /value of label zone must be one line/);
  }
});
