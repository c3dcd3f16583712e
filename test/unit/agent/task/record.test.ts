import test from 'ava';
import { newRecord, withoutAttempt } from '../../../../agent/task/record.ts';
import { service, T0, task } from '../../../support/builders.ts';

test('a new record is idle, and begins after the attempts that were used', t => {
  t.like(newRecord(task(service(), 'n1'), 4, 'boot'), { step: 'idle', attempt: 4, restarts: 0, bootId: 'boot' });
});

test('without its attempt a record keeps slot, budget and last exit', t => {
  const slot = { id: '2-x', userNamespacePath: '/u', networkNamespacePath: '/n', hostBase: 1, address: '10.128.1.2' };
  const lastExit = { attempt: 1, code: 1, reason: 'exited', finishedAtMs: T0 };
  const pids = { container: { pid: 1, startTicks: 1 }, monitor: { pid: 2, startTicks: 1 } };
  const record = { ...newRecord(task(service(), 'n1'), 1, 'boot'), slot, lastExit, container: pids, startedAtMs: T0, health: 'healthy' as const };
  const rest = withoutAttempt(record);
  t.like(rest, { slot, lastExit, attempt: 1, health: 'none' });
  t.false('container' in rest);
  t.false('startedAtMs' in rest);
});
