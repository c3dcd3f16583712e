import test from 'ava';
import { foldEvent } from '../../../../controller/reconcile/event-fold.ts';
import { T0 } from '../../../support/fake-clock.ts';

const planned = { type: 'warning', object: 'node/n1', reason: 'NodeLost', message: 'a' } as const;

test('the first occurrence counts one', t => {
  t.deepEqual(foldEvent(undefined, planned, T0), { ...planned, firstAtMs: T0, lastAtMs: T0, count: 1 });
});

test('a later one keeps the first time and takes the newest words', t => {
  const once = foldEvent(undefined, planned, T0);
  t.deepEqual(foldEvent(once, { ...planned, message: 'b' }, T0 + 5), { ...planned, message: 'b', firstAtMs: T0, lastAtMs: T0 + 5, count: 2 });
});
