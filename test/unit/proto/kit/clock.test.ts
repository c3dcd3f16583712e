import test from 'ava';
import { systemClock } from '#kit/clock.ts';

test('what is called off is not done; what is not is done once, in its time', async t => {
  const done: string[] = [];
  const off = systemClock.after(0, () => { done.push('off'); });
  off();
  const startedAtMs = systemClock.monotonicMs();
  const stop = await new Promise<() => void>(resolve => {
    const callOff = systemClock.after(20, () => {
      done.push('on');
      resolve(callOff);
    });
  });
  t.true(systemClock.monotonicMs() - startedAtMs >= 19);
  stop();
  t.deepEqual(done, ['on']);
});

test('in a turn comes first what was made before it, promises and ticks of theirs among it', async t => {
  const order: string[] = [];
  process.nextTick(() => {
    order.push('tick');
    void Promise.resolve().then(() => { order.push('promise of the tick'); });
  });
  setImmediate(() => { order.push('immediate'); });
  await systemClock.turn();
  t.deepEqual(order, ['tick', 'promise of the tick', 'immediate']);
});
