import test from 'ava';
import { formatLogName, parseLogName, previousLog } from '../../../../agent/task/log-name.ts';
import type { LogName } from '../../../../agent/task/log-name.ts';

const FILES = ['1.log', '2.log', '2.log.1', '10.log', '2-c0-1.log', '2-c0-2.log', '2-c0-2.log.2', '2-c1-1.log', '1-c0-9.log', 'notes.txt'];

test('names are read back', t => {
  for (const name of [{ attempt: 1 }, { attempt: 12, companion: { index: 3, run: 40 } }]) {
    t.deepEqual(parseLogName(formatLogName(name)), name);
    t.deepEqual(parseLogName(`${formatLogName(name)}.2`), name);
  }
  t.deepEqual(['x.log', '1.log.gz', '1-c.log', '.log', ''].map(parseLogName), [undefined, undefined, undefined, undefined, undefined]);
});

const precedes = test.macro({
  exec(t, current: LogName, expected: LogName | undefined) { t.deepEqual(previousLog(current, FILES), expected); },
  title: (name = '') => `previousLog: ${name}`,
});
test('the attempt before, by number', precedes, { attempt: 10 }, { attempt: 2 });
test('none before the first', precedes, { attempt: 1 }, undefined);
test('the run before in the same attempt', precedes, { attempt: 2, companion: { index: 0, run: 2 } }, { attempt: 2, companion: { index: 0, run: 1 } });
test('the last run of the attempt before', precedes, { attempt: 2, companion: { index: 0, run: 1 } }, { attempt: 1, companion: { index: 0, run: 9 } });
test('never that of another container', precedes, { attempt: 2, companion: { index: 1, run: 1 } }, undefined);
