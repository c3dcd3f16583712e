import test from 'ava';
import { pendingEvents, summarizePending } from '../../../../controller/reconcile/pending-summary.ts';
import { parseNodeId } from '#model/ids.ts';

const waiting = Array.from({ length: 500 }, (_, slot) => ({ slot, reason: slot < 400 ? 'a' : 'b' }));

test('a summary lists a slot of each reason, and those for which room is being made', t => {
  const { pending, pendingCount } = summarizePending([...waiting, { slot: 500, reason: 'c', node: parseNodeId('n1') }]);
  t.is(pendingCount, 501);
  t.is(pending.length, 100);
  t.deepEqual([...new Set(pending.map(one => one.reason))], ['a', 'b', 'c']);
  t.deepEqual(pending.map(one => one.slot), pending.map(one => one.slot).sort((left, right) => left - right));
});

test('events report what was not pending for that reason before', t => {
  t.deepEqual(pendingEvents('o', [], waiting).map(one => one.message), ['slots 0, 1, 2 and 397 more: a', 'slots 400, 401, 402 and 97 more: b']);
  t.deepEqual(pendingEvents('o', summarizePending(waiting).pending, waiting), []);
  t.deepEqual(pendingEvents('o', [{ slot: 1, reason: 'a' }], [{ slot: 1, reason: 'b' }]).map(one => one.message), ['slot 1: b']);
});
