import test from 'ava';
import type { CompanionSpec, ContainerSpec } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import { EMPTY_DESIRED_SET } from '../../../../agent/assignment.ts';
import { DiskPressureError } from '../../../../agent/disk-pressure.ts';
import { isNobodys } from '../../../../agent/task/recovery.ts';
import { newRecord } from '../../../../agent/task/record.ts';
import type { TaskRecord } from '../../../../agent/task/record.ts';
import { container, service, task, taskId } from '../../../support/builders.ts';
import { DIGEST } from '../../../support/fake-node.ts';
import { noViolations, Rig, setOf } from '../../../support/task-rig.ts';

const ID = taskId('ta');
const FIRST = `gantry-${ID}-1`;
const NEVER = { mode: 'never', maxAttempts: 0, windowMs: 0, delayMs: 0 } as const;
const TASK = aTask();
const SIDECAR: CompanionSpec = { name: 'proxy', role: 'sidecar', container: container({ digest: DIGEST }) };

function aTask(rest: Partial<Task> = {}, spec: Partial<ContainerSpec> = {}): Task {
  return task(service(), 'n1', { id: ID, container: container({ digest: DIGEST, ...spec }), ...rest });
}

/** A node with nothing, to whose disk an assignment is on its way. */
async function foreseeing(coming: Task): Promise<{ readonly rig: Rig; readonly kept: PromiseWithResolvers<undefined> }> {
  const rig = new Rig();
  await rig.begin(EMPTY_DESIRED_SET);
  const kept = Promise.withResolvers<undefined>();
  rig.tasks?.foresee(setOf(coming), kept.promise);
  await rig.rest();
  return { rig, kept };
}

test('a task is made ready while its assignment is on its way to the disk, and starts once that is there', async t => {
  const { rig, kept } = await foreseeing(TASK);
  t.is(rig.node.containers.get(FIRST)?.state, 'created');
  t.deepEqual(rig.node.started, []);
  await rig.pass(60_000);
  t.deepEqual(rig.node.started, []);
  kept.resolve(undefined);
  await rig.rest();
  t.deepEqual(rig.node.started, [FIRST]);
  await rig.desire(TASK);
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 1 });
  t.deepEqual(rig.node.started, [FIRST]);
  noViolations(t, rig.node);
  rig.kill();
});

test('an assignment that the disk does not take starts nothing and counts no attempt, and its task begins once one that was kept has it', async t => {
  const { rig, kept } = await foreseeing(aTask({}, { restart: NEVER }));
  kept.reject(new DiskPressureError('no space left'));
  await rig.pass(60_000);
  t.deepEqual(rig.node.started, []);
  t.deepEqual(rig.node.running(), []);
  t.like(rig.node.lastStatus(), { phase: 'assigned', restarts: 0, reason: 'DiskPressure' });
  t.deepEqual([...rig.node.rootfs, ...rig.node.bundles], []);
  await rig.desire(aTask({}, { restart: NEVER }));
  t.deepEqual(rig.node.running(), [`gantry-${ID}-2`]);
  noViolations(t, rig.node);
  rig.kill();
});

test('nothing is begun anew for an assignment that was not kept, until one that was has the task', async t => {
  const { rig, kept } = await foreseeing(TASK);
  kept.reject(new DiskPressureError('no space left'));
  await rig.rest();
  const calls = rig.node.calls.filter(call => call === 'runtime.create').length;
  rig.tasks?.wakeAll();
  await rig.pass(600_000);
  t.is(rig.node.calls.filter(call => call === 'runtime.create').length, calls);
  rig.kill();
});

test('a step that fails meanwhile is recorded only once the assignment is kept', async t => {
  const rig = new Rig();
  await rig.begin(EMPTY_DESIRED_SET);
  rig.node.faults.set('devices.take', new Error('does not work'));
  const kept = Promise.withResolvers<undefined>();
  const once = aTask({}, { restart: NEVER });
  rig.tasks?.foresee(setOf(once), kept.promise);
  await rig.pass(60_000);
  t.false(rig.node.statuses.some(({ phase }) => phase === 'failed'));
  kept.resolve(undefined);
  await rig.desire(once);
  t.like(rig.node.lastStatus(), { phase: 'failed', reason: 'StartFailed' });
  rig.kill();
});

test('what is not to run, and what has companions, waits for the disk', async t => {
  for (const one of [aTask({ desired: 'stop' }), aTask({ companions: [SIDECAR] })]) {
    const { rig } = await foreseeing(one);
    t.deepEqual([rig.node.leftovers(), rig.tasks?.records], [[], []]);
    rig.kill();
  }
});

test('a running task that a coming assignment stops runs until it is kept', async t => {
  const rig = new Rig();
  await rig.begin(setOf(TASK));
  rig.tasks?.foresee(setOf(aTask({ desired: 'stop' })), Promise.resolve());
  await rig.rest();
  t.deepEqual(rig.node.running(), [FIRST]);
  rig.kill();
});

test('a task that the session after does not have any more goes, and leaves nothing', async t => {
  const { rig, kept } = await foreseeing(TASK);
  kept.reject(new DiskPressureError('no space left'));
  await rig.desire();
  await rig.pass(60_000);
  t.deepEqual([rig.node.leftovers(), rig.node.started, rig.node.records.size], [[], [], 0]);
  rig.kill();
});

async function stepsOfForeseeing(): Promise<number> {
  const { rig } = await foreseeing(TASK);
  rig.kill();
  return rig.node.steps;
}

for (const isAfter of [false, true]) {
  test(`the agent killed at each step before the assignment is kept, ${isAfter ? 'after' : 'before'} its effect: the next one leaves nothing of the task, and starts it once it is told of it`, async t => {
    const steps = await stepsOfForeseeing();
    t.true(steps > 10);
    for (let at = 1; at <= steps; at += 1) {
      const rig = new Rig();
      rig.node.crashAt(at, isAfter, () => { rig.kill(); });
      await rig.begin(EMPTY_DESIRED_SET).catch(() => undefined);
      rig.tasks?.foresee(setOf(TASK), new Promise<void>(() => undefined));
      await rig.rest();
      rig.kill();
      rig.node.restartAgent();
      const label = `crash at step ${String(at)} (${rig.node.calls.at(at - 1) ?? ''})`;
      rig.node.statuses.length = 0;
      await rig.begin(EMPTY_DESIRED_SET);
      t.deepEqual([rig.node.leftovers(), rig.node.started, rig.node.records.size], [[], [], 0], label);
      await rig.desire(TASK);
      t.is(rig.node.running().length, 1, label);
      t.like(rig.node.lastStatus(), { phase: 'running' }, label);
      t.false(rig.node.statuses.some(({ phase }) => phase === 'complete'), label);
      noViolations(t, rig.node);
      rig.kill();
    }
  });
}

const record = (rest: Partial<TaskRecord>): TaskRecord => ({ ...newRecord(TASK, 0, 'boot-1'), ...rest });
const LISTED = new Map([[ID, TASK]]);
const lastExit = { attempt: 1, code: 1, reason: 'exited', finishedAtMs: 1 };

const nobodys = test.macro({
  exec(t, rest: Partial<TaskRecord>, assigned: ReadonlyMap<typeof ID, Task> | undefined, expected: boolean) {
    t.is(isNobodys(record(rest), assigned), expected);
  },
  title: (name = '') => `isNobodys: ${name}`,
});
test('half built, not listed', nobodys, { step: 'building' }, new Map(), true);
test('given up, not listed', nobodys, { step: 'idle', attempt: 1 }, new Map(), true);
test('half built, listed', nobodys, { step: 'building' }, LISTED, false);
test('half built, no assignment was ever on the disk', nobodys, { step: 'building' }, undefined, false);
test('running', nobodys, { step: 'running' }, new Map(), false);
test('of an attempt after others', nobodys, { step: 'building', lastExit }, new Map(), false);
test('with companions, which may run', nobodys, { step: 'building', task: aTask({ companions: [SIDECAR] }) }, new Map(), false);
test('finished, which is still to be told', nobodys, { step: 'finished' }, new Map(), false);
