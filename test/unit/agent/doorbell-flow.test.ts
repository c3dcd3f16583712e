import test from 'ava';
import { Doorbell } from '../../../agent/doorbell-flow.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

function waiting(durationMs: number | undefined): { readonly bell: Doorbell; readonly clock: FakeClock; readonly controller: AbortController; readonly ends: string[] } {
  const [bell, clock, controller, ends] = [new Doorbell(), new FakeClock(), new AbortController(), [] as string[]];
  bell.wait(durationMs, clock, controller.signal).then(() => ends.push('woken'), (error: unknown) => ends.push(error instanceof Error ? error.message : ''));
  return { bell, clock, controller, ends };
}

test('a ring wakes at once, and nothing waits for the time any more', async t => {
  const { bell, clock, ends } = waiting(1_000);
  t.is(clock.sleeping, 1);
  bell.ring();
  await settle();
  t.deepEqual([ends, clock.sleeping], [['woken'], 0]);
});

test('without a ring the time wakes', async t => {
  const { clock, ends } = waiting(1_000);
  await clock.advance(999);
  t.deepEqual(ends, []);
  await clock.advance(1);
  t.deepEqual(ends, ['woken']);
});

test('the signal ends the wait with its reason, also one without a time', async t => {
  for (const durationMs of [1_000, undefined]) {
    const { clock, controller, ends } = waiting(durationMs);
    controller.abort(new Error('over'));
    await settle();
    t.deepEqual([ends, clock.sleeping], [['over'], 0]);
  }
});

test('a ring while nobody waits ends the next wait, and that alone', async t => {
  const { bell, clock, controller, ends } = waiting(1_000);
  bell.ring();
  await settle();
  bell.ring();
  bell.ring();
  await bell.wait(undefined, clock, controller.signal);
  const later = bell.wait(5, clock, controller.signal).then(() => ends.push('later'));
  await settle();
  t.deepEqual(ends, ['woken']);
  await clock.advance(5);
  await later;
  t.deepEqual(ends, ['woken', 'later']);
});
