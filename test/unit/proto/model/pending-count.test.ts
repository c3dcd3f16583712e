import test from 'ava';
import { pendingCountOf } from '#model/pending-count.ts';

test('a status without a count lists all pending slots', t => {
  t.is(pendingCountOf({ pending: [{ slot: 0, reason: '' }, { slot: 1, reason: '' }] }), 2);
  t.is(pendingCountOf({ pending: [{ slot: 0, reason: '' }], pendingCount: 9 }), 9);
});
