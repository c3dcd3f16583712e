import test from 'ava';
import { armFailpoints, failpoint } from '#kit/failpoint.ts';

test.serial.afterEach(() => { armFailpoints(''); });

test.serial('failpoint: a name that is not armed does nothing', async t => {
  armFailpoints('other=error');
  await t.notThrowsAsync(failpoint('mine'));
});

test.serial('failpoint: counted terms follow each other and then end', async t => {
  armFailpoints('mine=1*off->2*error');
  await t.notThrowsAsync(failpoint('mine'));
  await t.throwsAsync(failpoint('mine'), { message: 'failpoint mine' });
  await t.throwsAsync(failpoint('mine'), { message: 'failpoint mine' });
  await t.notThrowsAsync(failpoint('mine'));
});

test.serial('failpoint: a term without a count goes on for ever', async t => {
  armFailpoints('mine=error');
  await t.throwsAsync(failpoint('mine'));
  await t.throwsAsync(failpoint('mine'));
});

test.serial('failpoint: a text outside the grammar is refused', t => {
  t.throws(() => { armFailpoints('mine=explode'); }, { instanceOf: RangeError });
});
