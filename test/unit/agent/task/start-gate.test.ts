import test from 'ava';
import { StartGate } from '../../../../agent/task/start-gate-flow.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const NEVER = new AbortController().signal;
const turn = async (): Promise<void> => { await new Promise(resolve => { setImmediate(resolve); }); };

test('quiet resolves at once while nobody is let through', async t => {
  await new StartGate(2, new FakeClock()).quiet();
  t.pass();
});

test('quiet waits for the last one, also for those in the queue, and a while after it', async t => {
  const clock = new FakeClock();
  const gate = new StartGate(1, clock);
  const [first, second] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const passes = [gate.pass(async () => { await first.promise; }, NEVER), gate.pass(async () => { await second.promise; }, NEVER)];
  let isQuiet = false;
  const quiet = gate.quiet().then(() => { isQuiet = true; });
  first.resolve(undefined);
  await turn();
  t.false(isQuiet);
  second.resolve(undefined);
  await Promise.all(passes);
  await clock.advance(19);
  t.false(isQuiet);
  await clock.advance(1);
  await quiet;
  t.true(isQuiet);
});

test('quiet begins to wait anew with a start that comes meanwhile', async t => {
  const clock = new FakeClock();
  const gate = new StartGate(1, clock);
  const start = async (): Promise<void> => { await gate.pass(async () => { await clock.sleep(5, NEVER); }, NEVER); };
  let quietAtMs: number | undefined;
  const first = start();
  const quiet = gate.quiet().then(() => { quietAtMs = clock.monotonicMs(); });
  await clock.advance(15);
  const second = start();
  await clock.advance(100);
  await Promise.all([first, second, quiet]);
  t.is(quietAtMs, 40);
});
