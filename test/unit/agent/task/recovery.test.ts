import test from 'ava';
import { newRecord } from '../../../../agent/task/record.ts';
import type { RecordStep, TaskRecord } from '../../../../agent/task/record.ts';
import { applyRecovery, decideRecovery } from '../../../../agent/task/recovery.ts';
import type { Found } from '../../../../agent/task/recovery.ts';
import { service, T0, task } from '../../../support/builders.ts';

const SLOT = { id: '2-x', userNamespacePath: '/u', networkNamespacePath: '/n', hostBase: 1, address: '10.128.1.2' };
const PIDS = { container: { pid: 10, startTicks: 1 }, monitor: { pid: 11, startTicks: 1 } };
const END = { code: 7, isOomKilled: false, finishedAtMs: T0 - 5 };

function record(step: RecordStep): TaskRecord {
  return { ...newRecord(task(service(), 'n1'), 1, 'boot'), step, slot: SLOT, container: PIDS };
}

function found(options: Partial<Found> = {}): Found {
  return { isSameBoot: true, state: 'running', isContainerAlive: true, isSlotHeld: true, ...options };
}

const decides = test.macro({
  exec(t, step: RecordStep, facts: Found, expected: object) {
    t.like(decideRecovery(record(step), facts, T0), expected);
  },
  title: (name = '') => `decideRecovery: ${name}`,
});

test('a running container is adopted', decides, 'running', found(), { kind: 'adopt' });
test('one whose start was not recorded yet is adopted too', decides, 'starting', found(), { kind: 'adopt' });
test('created but not started is undone', decides, 'starting', found({ state: 'created' }), { kind: 'undo' });
test('starting but unknown to the runtime is undone', decides, 'starting', found({ state: 'absent', isContainerAlive: false }), { kind: 'undo' });
test('an exit file counts before the state', decides, 'running', found({ end: END }), { kind: 'report-exit', end: END });
test('an exit of an unrecorded start counts', decides, 'starting', found({ state: 'stopped', isContainerAlive: false, end: END }), { kind: 'report-exit', end: END });
test('a pid of another process is no container', decides, 'running', found({ isContainerAlive: false }), { kind: 'report-exit', end: { code: null, finishedAtMs: T0 } });
test('a lost slot ends its container', decides, 'running', found({ isSlotHeld: false }), { kind: 'undo' });
test('half built is undone', decides, 'building', found(), { kind: 'undo' });
test('another boot: what ran has an unknown exit', decides, 'running', found({ isSameBoot: false }), { kind: 'report-exit', end: { code: null } });
test('another boot: what was being built is undone', decides, 'building', found({ isSameBoot: false }), { kind: 'undo' });
test('another boot: what may have started is undone', decides, 'starting', found({ isSameBoot: false }), { kind: 'undo' });
test('idle is kept', decides, 'idle', found({ isSameBoot: false }), { kind: 'keep' });
test('finished is kept', decides, 'finished', found(), { kind: 'keep' });
test('an end that is not cleared yet is kept', decides, 'ended', found(), { kind: 'keep' });

test('applyRecovery: an adopted record runs on with its pids and slot', t => {
  const next = applyRecovery(record('starting'), { kind: 'adopt', reason: '' }, found(), 'boot');
  t.like(next, { step: 'running', container: PIDS, slot: SLOT, attempt: 1 });
});

test('applyRecovery: an undone record forgets pids, keeps its attempt number, and loses a slot that is gone', t => {
  const next = applyRecovery(record('running'), { kind: 'undo', reason: '' }, found({ isSlotHeld: false }), 'boot-2');
  t.is(next.step, 'building');
  t.is(next.attempt, 1);
  t.is(next.container, undefined);
  t.is(next.slot, undefined);
  t.is(next.bootId, 'boot-2');
});

test('applyRecovery: what the deadman killed was cut off', t => {
  const next = applyRecovery(record('running'), { kind: 'report-exit', end: { ...END, code: 137 }, reason: '' }, found({ isCutOff: true }), 'boot');
  t.like(next, { step: 'ended', lastExit: { code: 137, reason: 'disconnected' }, recent: [], ending: { kind: 'restart', notBeforeMs: T0 - 5 } });
});

test('applyRecovery: an exit is settled by the policy', t => {
  const next = applyRecovery(record('running'), { kind: 'report-exit', end: END, reason: '' }, found(), 'boot');
  t.like(next, { step: 'ended', lastExit: { code: 7, attempt: 1, finishedAtMs: T0 - 5 }, ending: { kind: 'restart', notBeforeMs: T0 - 5 } });
});
