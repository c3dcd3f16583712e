import test from 'ava';
import { FIRST_HOST_NUMBER, TASK_ADDRESSES } from '#model/addressing.ts';
import { pickHostNumber } from '../../../../agent/network/address-pool.ts';

const picks = test.macro({
  exec(t, used: readonly number[], lastGiven: number, expected: number | undefined) {
    t.is(pickHostNumber(new Set(used), lastGiven), expected);
  },
  title: (name = '') => `pickHostNumber: ${name}`,
});
const ALL = Array.from({ length: TASK_ADDRESSES }, (_, index) => FIRST_HOST_NUMBER + index);

test('the first is 2', picks, [], 0, 2);
test('the next is above the last', picks, [], 7, 8);
test('used ones are passed over', picks, [8, 9], 7, 10);
test('a number given back is not the next one', picks, [2, 4], 4, 5);
test('254 is the last, then it begins again', picks, [2], 254, 3);
test('only the last given one is free', picks, ALL.filter(number => number !== 9), 9, 9);
test('nothing is free', picks, ALL, 9, undefined);
