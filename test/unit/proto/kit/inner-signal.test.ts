import test from 'ava';
import { innerSignal } from '../../../../proto/kit/inner-signal.ts';

test('it aborts with the outer one, for its reason', t => {
  const outer = new AbortController();
  using inner = innerSignal(outer.signal);
  t.false(inner.signal.aborted);
  const reason = new Error('over');
  outer.abort(reason);
  t.is(inner.signal.reason, reason);
});

test('it aborts by itself, and the outer one goes on', t => {
  const outer = new AbortController();
  using inner = innerSignal(outer.signal);
  const reason = new Error('done');
  inner.abort(reason);
  t.is(inner.signal.reason, reason);
  t.false(outer.signal.aborted);
});

test('of an outer one that has aborted it is aborted from the start', t => {
  const reason = new Error('before');
  using inner = innerSignal(AbortSignal.abort(reason));
  t.is(inner.signal.reason, reason);
});

test('once disposed of it follows no more: an outer one that lives for long keeps nothing of it', t => {
  const outer = new AbortController();
  const inner = innerSignal(outer.signal);
  inner[Symbol.dispose]();
  outer.abort(new Error('over'));
  t.false(inner.signal.aborted);
});
