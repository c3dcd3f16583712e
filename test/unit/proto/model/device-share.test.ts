import test from 'ava';
import { chooseUnits, countUnits, freeUnits, hasUnits, takeUnits } from '../../../../proto/model/device-share.ts';

test('the fullest units that still have the share are chosen, the first of equals', t => {
  const free = freeUnits(4);
  takeUnits(free, [1], 300);
  takeUnits(free, [2], 800);
  t.deepEqual(chooseUnits(free, { name: 'gpu', count: 1, milli: 200 }), [2]);
  t.deepEqual(chooseUnits(free, { name: 'gpu', count: 2, milli: 500 }), [0, 1]);
  t.deepEqual(chooseUnits(free, { name: 'gpu', count: 2 }), [0, 3]);
  t.is(chooseUnits(free, { name: 'gpu', count: 3 }), undefined);
});

test('a share that is given back can be had again', t => {
  const free = freeUnits(1);
  takeUnits(free, [0], 1_000);
  t.false(hasUnits(free, { count: 1, milli: 1 }));
  takeUnits(free, [0], -1_000);
  t.true(hasUnits(free, { count: 1 }));
  t.is(countUnits([1_000, 999, 500], 999), 2);
});
