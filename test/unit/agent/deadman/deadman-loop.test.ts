import test from 'ava';
import { DeadmanLoop } from '../../../../agent/deadman/deadman-loop.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

test('the controllers are told once the deadman is not as they were told', async t => {
  const clock = new FakeClock();
  let isAtWork = true;
  let told: boolean | undefined;
  const tells: boolean[] = [];
  const stopping = new AbortController();
  const running = new DeadmanLoop({
    deadman: { isAtWork: () => isAtWork }, clock, log: silentLogger, toldAtWork: () => told,
    tell: isNow => { tells.push(isNow); told = isNow; },
  }).run(stopping.signal).catch(() => { /* it ends with the signal */ });
  await clock.advance(5_000);
  t.deepEqual(tells, []);
  told = true;
  await clock.advance(5_000);
  t.deepEqual(tells, []);
  isAtWork = false;
  await clock.advance(5_000);
  isAtWork = true;
  await clock.advance(5_000);
  t.deepEqual(tells, [false, true]);
  stopping.abort(new Error('over'));
  await running;
  await settle();
});

test('F11: an agent without a free descriptor knows nothing of the deadman for a moment, and goes on', async t => {
  const clock = new FakeClock();
  let look = (): boolean => { throw Object.assign(new Error('EMFILE: too many open files, open alive'), { code: 'EMFILE' }); };
  const tells: boolean[] = [];
  const stopping = new AbortController();
  let end: unknown;
  const running = new DeadmanLoop({
    deadman: { isAtWork: () => look() }, clock, log: silentLogger, toldAtWork: () => true, tell: isNow => { tells.push(isNow); },
  }).run(stopping.signal).catch((error: unknown) => { end = error; });
  await clock.advance(5_000);
  t.is(end, undefined);
  t.deepEqual(tells, []);
  look = () => false;
  await clock.advance(1_000);
  t.deepEqual(tells, [false]);
  const over = new Error('over');
  stopping.abort(over);
  await running;
  t.is(end, over);
});
