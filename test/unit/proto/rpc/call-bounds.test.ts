import test from 'ava';
import { CallBounds } from '#rpc/call-bounds.ts';

const LIMITS = { callsOfOne: 2, calls: 3, watchesOfOne: 1, watches: 2 };

test('calls of one caller have a bound, and another is admitted', t => {
  const bounds = new CallBounds(LIMITS);
  const end = bounds.admit('ann', 'call');
  bounds.admit('ann', 'call');
  t.like(t.throws(() => bounds.admit('ann', 'call')), { code: 'RESOURCE_EXHAUSTED', message: 'ann: 2 calls are open, the most of one caller; end some of them' });
  bounds.admit('joe', 'call');
  end();
  t.notThrows(() => bounds.admit('ann', 'call'));
});

test('calls of all callers have a bound', t => {
  const bounds = new CallBounds(LIMITS);
  ['a', 'b', 'c'].forEach(caller => bounds.admit(caller, 'call'));
  t.like(t.throws(() => bounds.admit('d', 'call'), { message: /^controller: 3 calls are open/ }), { code: 'RESOURCE_EXHAUSTED' });
});

test('watches count as calls and have bounds of their own', t => {
  const bounds = new CallBounds(LIMITS);
  const end = bounds.admit('ann', 'watch');
  t.throws(() => bounds.admit('ann', 'watch'), { message: /^ann: 1 watches are open/ });
  bounds.admit('ann', 'call');
  t.throws(() => bounds.admit('ann', 'call'), { message: /^ann: 2 calls are open/ });
  bounds.admit('joe', 'watch');
  t.throws(() => bounds.admit('bob', 'watch'));
  end();
  t.notThrows(() => bounds.admit('bob', 'watch'));
});

test('of callers without an open call nothing is kept', t => {
  const bounds = new CallBounds({ callsOfOne: 9, calls: 9, watchesOfOne: 9, watches: 9 });
  const ends = ['ann', 'joe', 'ann'].map(caller => bounds.admit(caller, 'watch'));
  t.is(bounds.callers, 2);
  ends.forEach(end => { end(); });
  t.is(bounds.callers, 0);
});
