import test from 'ava';
import { cpusOf, missingCpu, parseCpuset } from '#model/cpuset.ts';

const reads = test.macro({
  exec(t, text: string, expected: string) { t.deepEqual(parseCpuset(text), { value: expected }); },
  title: (_, text: string) => `parseCpuset: ${text}`,
});
test(reads, '0', '0');
test(reads, '0-1', '0-1');
test(reads, '3, 0-1', '0-1,3');
test(reads, '0,1,2,5', '0-2,5');
test(reads, '1-2,2-3', '1-3');
test(reads, '8191', '8191');

const refuses = test.macro({
  exec(t, text: string) { t.true('problem' in parseCpuset(text)); },
  title: (_, text) => `parseCpuset refuses ${JSON.stringify(text)}`,
});
['', '-1', '1-0', '0-', 'a', '0,,1', '0-8192', '99999', '0 1', '0;1'].forEach(text => { test(refuses, text); });

test('cpus in order, each once', t => { t.deepEqual(cpusOf('2-3,0,3'), [0, 2, 3]); });
test('the first cpu that is missing; unknown cpus are not missed', t => {
  t.is(missingCpu('0-3', '0-1'), 2);
  t.is(missingCpu('0-1', '0-1'), undefined);
  t.is(missingCpu('7', ''), undefined);
});
