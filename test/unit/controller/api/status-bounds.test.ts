import test from 'ava';
import { boundedStatus } from '../../../../controller/api/status-bounds.ts';
import { encodeStatusRecord } from '../../../../controller/store/records.ts';
import { service, status, task } from '../../../support/builders.ts';

const one = task(service(), 'n1');

test('a status of a usual size is stored as it is', t => {
  const usual = status(one, { message: 'x'.repeat(2_048), lastExit: { attempt: 1, code: 1, reason: 'exited', finishedAtMs: 1 } });
  t.deepEqual(boundedStatus(usual), usual);
});

test('a status of 600 KB in any of its texts is stored as some KiB', t => {
  const long = 'x'.repeat(600_000);
  const exit = { attempt: 1, code: 1, reason: long, finishedAtMs: 1 };
  const companion = { name: long, state: 'ended', restarts: 0, lastExit: exit } as const;
  const bounded = boundedStatus(status(one, { reason: long, message: long, address: long, lastExit: exit, companions: Array.from({ length: 5_000 }, () => companion) }));
  t.true(encodeStatusRecord(bounded).length < 25_000);
});
