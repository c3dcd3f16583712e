import test from 'ava';
import type { ClusterEvent } from '#model/event.ts';
import { foldEvent, joinEvents } from '../../../../controller/reconcile/event-fold.ts';
import { T0 } from '../../../support/fake-clock.ts';

const planned = { type: 'warning', object: 'node/n1', reason: 'NodeLost', message: 'a' } as const;

/** One occurrence a millisecond. */
function folded(messages: readonly string[], fromMs = T0): ClusterEvent {
  const [first = '', ...others] = messages;
  return others.reduce((event, message, index) => foldEvent(event, { ...planned, message }, fromMs + index + 1), foldEvent(undefined, { ...planned, message: first }, fromMs));
}

const counted = (event: ClusterEvent) => event.messages?.map(({ message, firstAtMs, lastAtMs, count }) => [message, firstAtMs - T0, lastAtMs - T0, count]);

test('the first occurrence counts one', t => {
  t.deepEqual(folded(['a']), { ...planned, firstAtMs: T0, lastAtMs: T0, count: 1 });
});

test('the same message again is counted, and nothing is kept beside it', t => {
  t.deepEqual(folded(['a', 'a']), { ...planned, firstAtMs: T0, lastAtMs: T0 + 1, count: 2 });
});

test('a later one keeps the first time and takes the newest words; the words before are kept with their times and counts', t => {
  const event = folded(['a', 'a', 'b']);
  t.like(event, { message: 'b', firstAtMs: T0, lastAtMs: T0 + 2, count: 3 });
  t.deepEqual(counted(event), [['a', 0, 1, 2], ['b', 2, 2, 1]]);
});

test('words that come back are counted where they were, and are the newest again', t => {
  const event = folded(['a', 'b', 'a']);
  t.is(event.message, 'a');
  t.deepEqual(counted(event), [['b', 1, 1, 1], ['a', 0, 2, 2]]);
});

test('of many messages the first one and the newest three are kept, and the count is that of all', t => {
  const event = folded(Array.from({ length: 100 }, (_, index) => `m${String(index)}`));
  t.deepEqual(event.messages?.map(({ message }) => message), ['m0', 'm97', 'm98', 'm99']);
  t.is(event.count, 100);
  const again = foldEvent(event, { ...planned, message: 'm0' }, T0 + 200);
  t.deepEqual(again.messages?.map(({ message }) => message), ['m97', 'm98', 'm99', 'm0']);
  t.like(again, { message: 'm0', count: 101, firstAtMs: T0 });
});

test('two records are joined as if all had been counted by one', t => {
  t.deepEqual(joinEvents(folded(['a', 'b']), folded(['b', 'c'], T0 + 2)), folded(['a', 'b', 'b', 'c']));
  t.deepEqual(joinEvents(folded(['a']), folded(['a'], T0 + 1)), folded(['a', 'a']));
});

test('an event with the longest of messages stays below 5 KiB', t => {
  const event = folded(Array.from({ length: 9 }, (_, index) => `${String(index)}${'x'.repeat(2_047)}`));
  t.is(event.message.length, 2_048);
  t.true(JSON.stringify(event).length < 5 * 1_024);
});
