import test from 'ava';
import { RefusalLog } from '#rpc/refusal-log.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

function setUp(): { readonly lines: Record<string, unknown>[]; readonly clock: FakeClock; readonly refusals: RefusalLog } {
  const lines: Record<string, unknown>[] = [];
  const clock = new FakeClock();
  const log = { ...silentLogger, warn: (fields: object, message: string) => { lines.push({ ...fields, message }); } };
  return { lines, clock, refusals: new RefusalLog(log, clock) };
}

test('12: one client that is refused 10,000 times in a minute gets five lines and one with the count; another one has its own', async t => {
  const { lines, clock, refusals } = setUp();
  for (let count = 0; count < 10_000; count += 1) refusals.add('10.0.0.9', 'no certificate');
  refusals.add('10.0.0.7', 'expired');
  t.is(lines.length, 6);
  t.deepEqual(lines.at(-1), { address: '10.0.0.7', reason: 'expired', message: 'handshake refused' });
  await clock.advance(60_000);
  t.deepEqual(lines.slice(6), [{ address: '10.0.0.9', reason: 'no certificate', count: 9_995, message: 'more handshakes refused' }]);
  refusals.add('10.0.0.9', 'no certificate');
  t.is(lines.at(-1)?.['message'], 'handshake refused', 'the next period begins anew');
});

test('12: clients of 10,000 addresses share a bound of lines and of memory', async t => {
  const { lines, clock, refusals } = setUp();
  for (let count = 0; count < 10_000; count += 1) refusals.add(`10.1.${String(count >> 8)}.${String(count & 255)}`, 'no certificate');
  t.is(lines.length, 64 + 5);
  await clock.advance(60_000);
  t.deepEqual(lines.slice(69), [{ address: 'others', reason: 'no certificate', count: 10_000 - 69, message: 'more handshakes refused' }]);
});

test('what was counted is logged at the end, and nothing is left to wait for', async t => {
  const { lines, clock, refusals } = setUp();
  for (let count = 0; count < 7; count += 1) refusals.add('10.0.0.9', 'no certificate');
  refusals.flush();
  t.is(lines.at(-1)?.['count'], 2);
  await clock.advance(60_000);
  t.is(lines.length, 6);
});

test('12: each reason of one client gets a line, at most 16 of them in a minute', t => {
  const { lines, refusals } = setUp();
  for (let count = 0; count < 100; count += 1) refusals.add('10.0.0.9', 'no certificate');
  refusals.add('10.0.0.9', 'expired');
  t.like(lines.at(-1), { reason: 'expired', message: 'handshake refused' });
  for (let count = 0; count < 100; count += 1) refusals.add('10.0.0.9', `reason ${String(count)}`);
  t.is(lines.length, 5 + 15);
});
