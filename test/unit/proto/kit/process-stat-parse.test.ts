import test from 'ava';
import { isSameProcess, parseProcessStat } from '#kit/process-stat-parse.ts';

const stat = (command: string, state: string): string => `42 (${command}) ${state} 1 42 42 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 987654 1000 10 18446744073709551615`;

test('pid and start time', t => { t.deepEqual(parseProcessStat(stat('sh', 'S')), { pid: 42, startTicks: 987654 }); });
test('a command with spaces and parentheses', t => { t.deepEqual(parseProcessStat(stat('a) Z (b', 'R')), { pid: 42, startTicks: 987654 }); });
for (const state of ['Z', 'X']) {
  test(`state ${state} is no process any more`, t => { t.is(parseProcessStat(stat('sh', state)), undefined); });
}
test('no stat, no process', t => { t.is(parseProcessStat(''), undefined); });
test('the same pid at another time is another process', t => {
  t.true(isSameProcess({ pid: 1, startTicks: 2 }, { pid: 1, startTicks: 2 }));
  t.false(isSameProcess({ pid: 1, startTicks: 2 }, { pid: 1, startTicks: 3 }));
  t.false(isSameProcess({ pid: 1, startTicks: 2 }, undefined));
});
