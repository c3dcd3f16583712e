import test from 'ava';
import { withinDeadline } from '#rpc/deadline.ts';

const forever = (): Promise<never> => new Promise(() => undefined);

test('an answer in time is the answer', async t => {
  t.is(await withinDeadline(() => Promise.resolve(5), Infinity, 0), 5);
});

test('after the deadline no work begins', async t => {
  const work = (): Promise<never> => t.fail('it began');
  t.like(await t.throwsAsync(withinDeadline(work, 100, 200)), { code: 'DEADLINE_EXCEEDED' });
  t.like(await t.throwsAsync(withinDeadline(work, new Date(100), 100)), { code: 'DEADLINE_EXCEEDED' });
});

test('work that takes longer is DEADLINE_EXCEEDED', async t => {
  t.like(await t.throwsAsync(withinDeadline(forever, 101, 100)), { code: 'DEADLINE_EXCEEDED' });
});
