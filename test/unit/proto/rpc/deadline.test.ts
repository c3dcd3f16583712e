import test from 'ava';
import { withinDeadline } from '#rpc/deadline.ts';

const forever = (): Promise<never> => new Promise(() => undefined);

test('an answer in time is the answer', async t => {
  t.is(await withinDeadline(Promise.resolve(5), Infinity, 0), 5);
});

test('a deadline that has passed is DEADLINE_EXCEEDED', async t => {
  t.like(await t.throwsAsync(withinDeadline(forever(), 100, 200)), { code: 'DEADLINE_EXCEEDED' });
  t.like(await t.throwsAsync(withinDeadline(forever(), new Date(100), 100)), { code: 'DEADLINE_EXCEEDED' });
});
