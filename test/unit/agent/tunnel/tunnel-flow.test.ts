import test from 'ava';
import type { TunnelFrame } from '#model/tunnel.ts';
import { inputOf } from '../../../../agent/tunnel/tunnel-flow.ts';
import { heldOf } from '../../../support/held-objects.ts';

const FRAMES = 50;

async function* framesOf(count: number, ends = true): AsyncGenerator<TunnelFrame> {
  for (let index = 0; index < count; index += 1) {
    yield await Promise.resolve({ kind: 'data', stream: 'stdin', bytes: Buffer.alloc(65_536, index) } as TunnelFrame);
  }
  if (ends) yield { kind: 'eof' };
}

test('inputOf: what was taken is held no more', async t => {
  const input = inputOf({ frames: framesOf(FRAMES) }, new AbortController().signal);
  const taken: WeakRef<object>[] = [];
  for (let index = 0; index < FRAMES; index += 1) {
    const next = await input.next();
    if (next.done !== true) taken.push(new WeakRef(next.value));
  }
  t.is(taken.length, FRAMES);
  t.true(await heldOf(taken) <= 2);
  t.true((await input.next()).done);
});

test('inputOf: a client that goes before its end is an error, and so is an abort, with its reason', async t => {
  const left = inputOf({ frames: framesOf(0, false) }, new AbortController().signal);
  await t.throwsAsync(async () => await left.next(), { code: 'UNAVAILABLE' });
  const abort = new AbortController();
  const silent = inputOf({ frames: { async *[Symbol.asyncIterator]() { await new Promise(() => undefined); yield { kind: 'eof' }; } } }, abort.signal);
  const next = silent.next();
  abort.abort(new Error('the agent ends'));
  await t.throwsAsync(next, { message: 'the agent ends' });
});
