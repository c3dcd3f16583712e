import test from 'ava';
import { StartGate } from '../../../../agent/task/start-gate-flow.ts';

const NEVER = new AbortController().signal;
const turn = async (): Promise<void> => { await new Promise(resolve => { setImmediate(resolve); }); };

test('quiet resolves at once while nobody is let through', async t => {
  await new StartGate(2).quiet();
  t.pass();
});

test('quiet waits for the last one, also for those in the queue', async t => {
  const gate = new StartGate(1);
  const [first, second] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const passes = [gate.pass(async () => { await first.promise; }, NEVER), gate.pass(async () => { await second.promise; }, NEVER)];
  let isQuiet = false;
  const quiet = gate.quiet().then(() => { isQuiet = true; });
  first.resolve(undefined);
  await turn();
  t.false(isQuiet);
  second.resolve(undefined);
  await Promise.all([...passes, quiet]);
  t.true(isQuiet);
});
