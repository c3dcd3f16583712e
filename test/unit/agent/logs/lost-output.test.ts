import test from 'ava';
import { lostBytes } from '../../../../agent/logs/lost-output.ts';

const loses = test.macro({
  exec(t, readBytes: number, logBytes: number, expected: number) { t.is(lostBytes({ readBytes: 100, logBytes: 200 }, { readBytes, logBytes }), expected); },
  title: (name = '') => `lostBytes: ${name}`,
});
test('nothing was written', loses, 100, 200, 0);
test('all that was read is missing', loses, 150, 200, 50);
test('some of it got in', loses, 150, 220, 30);
test('what got in is more than what was read: times are written too', loses, 150, 300, 0);
test('a log that was moved aside: nobody can say', loses, 150, 0, 0);
test('another monitor', loses, 10, 200, 0);
