import test from 'ava';
import { addWrongTry, MAX_WRONG_TRIES, waitBeforeTry } from '../../../../controller/identity/try-limit.ts';
import type { WrongTries } from '../../../../controller/identity/try-limit.ts';

const triesAt = (address: string, ...times: readonly number[]): WrongTries =>
  times.reduce<WrongTries>((tries, atMs) => addWrongTry(tries, address, atMs), new Map());

test('five wrong tries in a minute are allowed, then the first must be a minute ago', t => {
  t.is(waitBeforeTry(triesAt('a', 0, 1, 2, 3), 'a', 10), 0);
  t.is(waitBeforeTry(triesAt('a', 0, 1, 2, 3, 4), 'a', 10), 59_990);
  t.is(waitBeforeTry(triesAt('a', 0, 1, 2, 3, 4), 'a', 59_999), 1);
  t.is(waitBeforeTry(triesAt('a', 0, 1, 2, 3, 4), 'a', 60_000), 0);
});

test('an address is not slowed by another', t => {
  t.is(waitBeforeTry(triesAt('a', 0, 1, 2, 3, 4), 'b', 10), 0);
});

test('what is remembered is bounded: the address whose last try is oldest goes first', t => {
  let tries: WrongTries = triesAt('first', 0, 1, 2, 3, 4);
  for (let index = 0; index < 10_000; index += 1) {
    tries = addWrongTry(tries, `a${String(index)}`, 5);
  }
  t.is(tries.size, 10_000);
  t.is(waitBeforeTry(tries, 'first', 10), 0);
  t.is(MAX_WRONG_TRIES, 5);
});
