/** A task on a node that has no room for it now. */
import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import type { ContainerSpec } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import { DiskPressureError } from '../../../../agent/disk-pressure.ts';
import { EMPTY_DESIRED_SET } from '../../../../agent/assignment.ts';
import { container, service, task as makeTask, taskId } from '../../../support/builders.ts';
import { DIGEST } from '../../../support/fake-node.ts';
import { noViolations, Rig, setOf } from '../../../support/task-rig.ts';

const ID = taskId('ta');
const FIRST = `gantry-${ID}-1`;
const SECOND = `gantry-${ID}-2`;

function aTask(options: Partial<ContainerSpec> = {}): Task {
  return makeTask(service(), 'n1', { id: ID, container: container({ digest: DIGEST, ...options }) });
}

test('F1: a record that the disk does not take: nothing is started, no attempt counts, and it goes on once there is room', async t => {
  const rig = new Rig();
  await rig.begin(EMPTY_DESIRED_SET);
  rig.node.persistentFaults.set('records.save', new DiskPressureError('no space left: /state has 0 bytes and 9 inodes free'));
  await rig.desire(aTask({ restart: { mode: 'never', maxAttempts: 1, windowMs: 1, delayMs: 1 } }));
  await rig.pass(400);
  t.like(rig.node.lastStatus(), { reason: 'DiskPressure', message: 'no space left: /state has 0 bytes and 9 inodes free', restarts: 0 });
  await rig.pass(120_000);
  t.deepEqual(rig.node.started, []);
  rig.node.persistentFaults.clear();
  await rig.pass(60_000);
  t.is(rig.node.running().length, 1);
  t.like(rig.node.lastStatus(), { phase: 'running', restarts: 0, reason: '' });
  noViolations(t, rig.node);
  rig.kill();
});

test('F1: a container that ends while the disk is full is not cleared before its end is on disk', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask()));
  rig.node.persistentFaults.set('records.save', new DiskPressureError('no space left'));
  rig.node.exit(FIRST, { code: 7 });
  await rig.pass(60_000);
  t.true(rig.node.containers.has(FIRST));
  rig.node.persistentFaults.clear();
  await rig.pass(60_000);
  t.deepEqual(rig.node.running(), [SECOND]);
  t.like(rig.node.lastStatus(), { lastExit: { attempt: 1, code: 7 } });
  noViolations(t, rig.node);
  rig.kill();
});

test('F3: output that is lost is told while it is, and only of the attempt that runs', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask()));
  const told = async (attempt: number, message: string): Promise<readonly unknown[]> => {
    rig.tasks?.tellLostOutput(ID, attempt, message);
    await rig.rest();
    const { reason, message: shown, phase } = rig.node.lastStatus() ?? {};
    return [reason, shown, phase];
  };
  t.deepEqual(await told(2, 'gone'), ['', '', 'running']);
  t.deepEqual(await told(1, ''), ['', '', 'running']);
  t.deepEqual(await told(1, 'gone'), ['LogLinesLost', 'gone', 'running']);
  t.deepEqual(await told(1, ''), ['', '', 'running']);
  noViolations(t, rig.node);
  rig.kill();
});

test('F15: a subnet without a free address is told by name, counts no attempt, and the task has the next one that comes back', async t => {
  const rig = new Rig();
  await rig.begin(EMPTY_DESIRED_SET);
  rig.node.persistentFaults.set('network.acquire', new ClusterError('RESOURCE_EXHAUSTED', 'the node\'s subnet has no free address'));
  await rig.desire(aTask({ restart: { mode: 'never', maxAttempts: 1, windowMs: 1, delayMs: 1 } }));
  await rig.pass(60_000);
  t.like(rig.node.lastStatus(), { reason: 'NodePressure', message: 'the node\'s subnet has no free address', restarts: 0 });
  t.deepEqual(rig.node.started, []);
  rig.node.persistentFaults.clear();
  await rig.pass(10_000);
  t.like(rig.node.lastStatus(), { phase: 'running', restarts: 0, reason: '' });
  noViolations(t, rig.node);
  rig.kill();
});

test('units of a device that another task still has: the task waits without an address, so that its tries take none from others', async t => {
  const rig = new Rig();
  await rig.begin(EMPTY_DESIRED_SET);
  rig.node.persistentFaults.set('devices.take', new ClusterError('RESOURCE_EXHAUSTED', '1 of device gpu are needed, 0 are free on this node'));
  await rig.desire(aTask());
  await rig.pass(60_000);
  t.like(rig.node.lastStatus(), { reason: 'NodePressure', message: '1 of device gpu are needed, 0 are free on this node', restarts: 0 });
  t.deepEqual([...rig.node.slots], []);
  rig.node.persistentFaults.clear();
  await rig.pass(10_000);
  t.like(rig.node.lastStatus(), { phase: 'running', restarts: 0, reason: '' });
  t.is(rig.node.slots.size, 1);
  noViolations(t, rig.node);
  rig.kill();
});

test('E14: while exit codes could not be kept nothing is built, no attempt counts, and what is in the way is told; it goes on once that is repaired', async t => {
  const rig = new Rig();
  await rig.begin(EMPTY_DESIRED_SET);
  rig.node.runtimeProblem = 'exit codes could not be kept: /run/exits is not a directory';
  await rig.desire(aTask({ restart: { mode: 'never', maxAttempts: 1, windowMs: 1, delayMs: 1 } }));
  await rig.pass(60_000);
  t.like(rig.node.lastStatus(), { phase: 'assigned', attempt: 0, reason: 'RuntimeNotReady', message: rig.node.runtimeProblem });
  t.deepEqual(rig.node.leftovers(), []);
  t.is(rig.node.events.filter(reason => reason === 'RuntimeNotReady').length, 1);
  rig.node.runtimeProblem = undefined;
  await rig.pass(10_000);
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 1, restarts: 0, reason: '' });
  noViolations(t, rig.node);
  rig.kill();
});
