import test from 'ava';
import { allEnded } from '../../../../proto/kit/all-ended.ts';

test('answers all results, in their order', async t => {
  t.deepEqual(await allEnded([Promise.resolve(1), Promise.resolve('two')]), [1, 'two']);
});

test('one that fails is told only when the others are done', async t => {
  const slow = Promise.withResolvers<number>();
  let isTold = false;
  const all = allEnded([slow.promise, Promise.reject(new Error('no room'))]).catch((error: unknown) => { isTold = true; return error; });
  await new Promise(resolve => { setImmediate(resolve); });
  t.false(isTold);
  slow.resolve(1);
  t.like(await all, { message: 'no room' });
});

test('of several that fail, the first of the list is told', async t => {
  const late = Promise.withResolvers<never>();
  const all = allEnded([late.promise, Promise.reject(new Error('second'))]);
  late.reject(new Error('first'));
  await t.throwsAsync(all, { message: 'first' });
});
