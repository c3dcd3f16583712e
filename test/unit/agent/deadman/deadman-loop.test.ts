import test from 'ava';
import { DeadmanLoop } from '../../../../agent/deadman/deadman-loop.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

test('the controllers are told once the deadman is not as the last registration said', async t => {
  const clock = new FakeClock();
  let isAtWork = true;
  let told: boolean | undefined;
  const tells: string[] = [];
  const stopping = new AbortController();
  const running = new DeadmanLoop({
    deadman: { isAtWork: () => isAtWork }, clock, log: silentLogger, toldAtWork: () => told,
    tell: why => { tells.push(why); told = isAtWork; },
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
  t.deepEqual(tells, ['no deadman is at work', 'the deadman is at work']);
  stopping.abort(new Error('over'));
  await running;
  await settle();
});
