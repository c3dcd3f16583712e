import test from 'ava';
import type { ContainerSpec } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import { container, service, task as makeTask, taskId } from '../../../support/builders.ts';
import { DIGEST } from '../../../support/fake-node.ts';
import { noViolations, RECORDED_MS, Rig, setOf } from '../../../support/task-rig.ts';

const ID = taskId('ta');
const FIRST = `gantry-${ID}-1`;
const SECOND = `gantry-${ID}-2`;

function aTask(options: Partial<ContainerSpec> = {}, rest: Partial<Task> = {}): Task {
  return makeTask(service(), 'n1', { id: ID, container: container({ digest: DIGEST, ...options }), ...rest });
}

const EXCLUSIVE = { stopAfterMs: 30_000 };

test('an exclusive task has its time before anything of an attempt is made, and no more once nothing of it is left', async t => {
  const rig = new Rig();
  rig.node.hasDeadman = false;
  await rig.begin(setOf(aTask({}, EXCLUSIVE)));
  await rig.pass(20_000);
  t.like(rig.node.lastStatus(), { phase: 'assigned', attempt: 0, reason: 'NoDeadman' });
  t.is(rig.node.events.filter(reason => reason === 'NoDeadman').length, 1);
  t.deepEqual(rig.node.leftovers(), []);
  rig.node.hasDeadman = true;
  rig.node.faults.set('runtime.create', new Error('no'));
  await rig.pass(5_000);
  t.deepEqual([...rig.node.guarded], [[ID, 2]]);
  t.deepEqual(rig.node.running(), [SECOND]);
  await rig.desire({ ...aTask({}, EXCLUSIVE), desired: 'stop' });
  await rig.rest();
  t.deepEqual([...rig.node.guarded], []);
  rig.kill();
});

test('a task waits while the network of its node is not there, which counts as no attempt, says why, and may be stopped', async t => {
  const rig = new Rig();
  rig.node.networkProblem = 'network: no vxlan';
  await rig.begin(setOf(aTask()));
  await rig.pass(20_000);
  t.like(rig.node.lastStatus(), { phase: 'assigned', attempt: 0, reason: 'NetworkNotReady', message: 'network: no vxlan' });
  t.is(rig.node.events.filter(reason => reason === 'NetworkNotReady').length, 1);
  t.deepEqual(rig.node.leftovers(), []);
  const stopped = new Rig();
  stopped.node.networkProblem = 'network: no vxlan';
  await stopped.begin(setOf(aTask()));
  await stopped.desire({ ...aTask(), desired: 'stop' });
  await stopped.pass(5_000);
  t.like(stopped.node.lastStatus(), { phase: 'complete', attempt: 0 });
  stopped.kill();
  rig.node.networkProblem = undefined;
  await rig.pass(20_000);
  t.deepEqual(rig.node.running(), [FIRST]);
  rig.kill();
});

test('an exclusive task that is cut off is stopped, and starts again with the permit alone; no attempt counts', async t => {
  const rig = new Rig();
  rig.node.onSignal = { code: 143 };
  await rig.begin(setOf(aTask({ restart: { mode: 'never', maxAttempts: 1, windowMs: 1, delayMs: 1 } }, EXCLUSIVE)));
  rig.node.cutOffInMs = 0;
  rig.node.mayStart = false;
  rig.tasks?.wakeAll();
  await rig.rest();
  t.deepEqual(rig.node.running(), []);
  t.like(rig.node.lastStatus(), { phase: 'assigned', attempt: 2, reason: 'disconnected', lastExit: { attempt: 1, code: 143, reason: 'disconnected' } });
  await rig.pass(600_000);
  t.deepEqual(rig.node.started, [FIRST]);
  rig.node.cutOffInMs = 30_000;
  rig.node.mayStart = true;
  rig.tasks?.wakeExclusive();
  await rig.rest();
  t.deepEqual(rig.node.started, [FIRST, SECOND]);
  noViolations(t, rig.node);
  rig.kill();
});

test('what the deadman killed while the agent was away was cut off; its next attempt waits for the permit', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask({}, EXCLUSIVE)));
  await rig.pass(RECORDED_MS);
  rig.kill();
  rig.node.deadmanKilled.add(FIRST);
  rig.node.exit(FIRST, { code: 137 });
  rig.node.mayStart = false;
  await rig.begin(setOf(aTask({}, EXCLUSIVE)));
  t.like(rig.node.lastStatus(), { phase: 'assigned', attempt: 2, reason: 'disconnected', lastExit: { code: 137, reason: 'disconnected' } });
  rig.node.mayStart = true;
  rig.tasks?.wakeExclusive();
  await rig.rest();
  t.deepEqual(rig.node.running(), [SECOND]);
  rig.kill();
});

test('a controller that does not know when an exclusive task stops itself changes nothing of it', async t => {
  const rig = new Rig();
  rig.node.onSignal = { code: 143 };
  await rig.begin(setOf(aTask({}, EXCLUSIVE)));
  await rig.desire(aTask());
  rig.node.cutOffInMs = 0;
  rig.node.mayStart = false;
  rig.tasks?.wakeAll();
  await rig.rest();
  t.like(rig.node.lastStatus(), { lastExit: { reason: 'disconnected' } });
  rig.kill();
});
