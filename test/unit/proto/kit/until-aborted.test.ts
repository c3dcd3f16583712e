import test from 'ava';
import { untilAborted } from '#kit/until-aborted.ts';

const never = async (): Promise<never> => await new Promise<never>(() => { /* no answer */ });

test('the outcome of the work, with and without a signal', async t => {
  const { signal } = new AbortController();
  t.is(await untilAborted(Promise.resolve(1), signal), 1);
  t.is(await untilAborted(Promise.resolve(2), undefined), 2);
  await t.throwsAsync(untilAborted(Promise.reject(new Error('failed')), signal), { message: 'failed' });
});

test('the reason of a signal that aborts while the work lasts, or has aborted before', async t => {
  const over = new AbortController();
  const waiting = untilAborted(never(), over.signal);
  over.abort(new Error('over'));
  await t.throwsAsync(waiting, { message: 'over' });
  await t.throwsAsync(untilAborted(never(), over.signal), { message: 'over' });
});
