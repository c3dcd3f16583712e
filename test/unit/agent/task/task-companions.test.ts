/** Tasks of several containers: init containers, sidecars and the main one, over the same fake node as tasks of one. */
import test from 'ava';
import type { CompanionSpec, ContainerSpec } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import { EMPTY_DESIRED_SET } from '../../../../agent/assignment.ts';
import { container, service, task as makeTask, taskId } from '../../../support/builders.ts';
import { DIGEST } from '../../../support/fake-node.ts';
import { noViolations, Rig, setOf } from '../../../support/task-rig.ts';

const ID = taskId('pod');
const MAIN = `gantry-${ID}-1`;
const INIT = `${MAIN}-c0-1`;
const PROXY = `${MAIN}-c1-1`;
const NEVER = { mode: 'never', maxAttempts: 1, windowMs: 1_000, delayMs: 1_000 } as const;

function companion(name: string, role: CompanionSpec['role'], options: Partial<ContainerSpec> = {}): CompanionSpec {
  return { name, role, container: container({ digest: DIGEST, restart: { mode: 'always', maxAttempts: 5, windowMs: 600_000, delayMs: 1_000 }, ...options }) };
}

const COMPANIONS = [companion('migrate', 'init'), companion('proxy', 'sidecar')];

function pod(rest: Partial<Task> = {}, options: Partial<ContainerSpec> = {}): Task {
  return makeTask(service(), 'n1', { id: ID, container: container({ digest: DIGEST, ...options }), companions: COMPANIONS, ...rest });
}

test('an init container runs to its end, then the sidecar starts, then the main container', async t => {
  const rig = new Rig();
  await rig.begin(setOf(pod()));
  t.deepEqual(rig.node.running(), [INIT]);
  t.like(rig.node.lastStatus(), { phase: 'preparing', reason: 'Initializing', message: 'init container migrate runs' });
  t.deepEqual(rig.node.lastStatus()?.companions?.map(({ name, state }) => `${name} ${state}`), ['migrate running', 'proxy waiting']);
  rig.node.exit(INIT, { code: 0 });
  await rig.rest();
  t.deepEqual(rig.node.started, [INIT, PROXY, MAIN]);
  t.deepEqual(rig.node.running(), [PROXY, MAIN]);
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 1, reason: '', companions: [{ state: 'ended', lastExit: { code: 0 } }, { state: 'running', restarts: 0 }] });
  t.deepEqual([...rig.node.rootfs], [PROXY, MAIN], 'nothing of the init container is left');
  t.is(rig.node.slots.size, 1);
  noViolations(t, rig.node);
  rig.kill();
});

test('an init container that fails is the end of the attempt, by the task\'s policy', async t => {
  const rig = new Rig();
  await rig.begin(setOf(pod({}, { restart: NEVER })));
  rig.node.exit(INIT, { code: 3 });
  await rig.rest();
  t.like(rig.node.lastStatus(), { phase: 'failed', reason: 'init-failed', message: 'init container migrate: exit code 3', lastExit: { code: 3, reason: 'init-failed' } });
  t.deepEqual(rig.node.started, [INIT]);
  t.deepEqual(rig.node.leftovers(), []);
  rig.kill();
});

test('a failed init container is tried again by the next attempt', async t => {
  const rig = new Rig();
  await rig.begin(setOf(pod()));
  rig.node.exit(INIT, { code: 3 });
  await rig.rest();
  t.deepEqual(rig.node.running(), [`gantry-${ID}-2-c0-1`]);
  t.like(rig.node.lastStatus(), { phase: 'preparing', attempt: 2, restarts: 1 });
  noViolations(t, rig.node);
  rig.kill();
});

test('a sidecar that dies is started again, the first time at once and then later, and the task goes on', async t => {
  const rig = new Rig();
  await rig.begin(setOf(pod({ companions: [companion('proxy', 'sidecar')] })));
  const run = (number: number): string => `${MAIN}-c0-${String(number)}`;
  rig.node.exit(run(1), { code: 1 });
  await rig.rest();
  t.deepEqual(rig.node.running(), [MAIN, run(2)]);
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 1, restarts: 0, companions: [{ state: 'running', restarts: 1, lastExit: { code: 1, reason: 'exited' } }] });
  rig.node.exit(run(2), { code: 1 });
  await rig.rest();
  t.deepEqual(rig.node.running(), [MAIN]);
  await rig.pass(1_000);
  t.deepEqual(rig.node.running(), [MAIN, run(3)]);
  noViolations(t, rig.node);
  rig.kill();
});

test('a sidecar that does not start while the task runs is tried again; the task goes on', async t => {
  const rig = new Rig();
  await rig.begin(setOf(pod({ companions: [companion('proxy', 'sidecar')] })));
  rig.node.faults.set('runtime.create', new Error('no such program'));
  rig.node.exit(`${MAIN}-c0-1`, { code: 1 });
  await rig.rest();
  t.like(rig.node.lastStatus(), { phase: 'running', companions: [{ lastExit: { code: null, reason: 'start-failed' } }] });
  await rig.pass(60_000);
  t.deepEqual(rig.node.running(), [MAIN, `${MAIN}-c0-3`]);
  noViolations(t, rig.node);
  rig.kill();
});

test('a sidecar that cannot be started before the main container is the end of the attempt', async t => {
  const rig = new Rig();
  rig.node.faults.set('runtime.create', new Error('no such program'));
  await rig.begin(setOf(pod({ companions: [companion('proxy', 'sidecar')] }, { restart: NEVER })));
  t.like(rig.node.lastStatus(), { phase: 'failed', reason: 'StartFailed', message: 'no such program' });
  t.deepEqual(rig.node.leftovers(), []);
  rig.kill();
});

test('after the main container the sidecars are told to stop, the last one first, each before the one before it', async t => {
  const rig = new Rig();
  const companions = [companion('a', 'sidecar'), companion('b', 'sidecar')];
  await rig.begin(setOf(pod({ kind: 'job', companions })));
  const order: string[] = [];
  for (const [index, id] of [`${MAIN}-c0-1`, `${MAIN}-c1-1`].entries()) {
    const signals = rig.node.containers.get(id)?.signals;
    if (signals !== undefined) {
      signals.push = (...items: string[]) => { order.push(`${String(index)} ${items.join()}`); return 1; };
    }
  }
  rig.node.exit(MAIN, { code: 0 });
  await rig.rest();
  t.deepEqual(order, ['1 SIGQUIT', '0 SIGQUIT']);
  t.like(rig.node.lastStatus(), { phase: 'complete', lastExit: { code: 0 } });
  t.deepEqual(rig.node.lastStatus()?.companions?.map(one => one.state), ['ended', 'ended']);
  t.deepEqual(rig.node.leftovers(), []);
  noViolations(t, rig.node);
  rig.kill();
});

test('a sidecar that ignores its signal is killed after the grace period, and then the task is over', async t => {
  const rig = new Rig();
  await rig.begin(setOf(pod({ kind: 'job', companions: [companion('proxy', 'sidecar')] }, { stopGracePeriodMs: 5_000 })));
  rig.node.onSignal = undefined;
  rig.node.exit(MAIN, { code: 0 });
  await rig.rest();
  await rig.pass(4_999);
  t.deepEqual(rig.node.running(), [`${MAIN}-c0-1`]);
  await rig.pass(1);
  t.like(rig.node.lastStatus(), { phase: 'complete' });
  t.deepEqual(rig.node.leftovers(), []);
  rig.kill();
});

test('a stop before the main container ends what there is', async t => {
  const rig = new Rig();
  await rig.begin(setOf(pod()));
  await rig.desire(pod({ desired: 'stop' }));
  t.like(rig.node.lastStatus(), { phase: 'complete', reason: 'stopped' });
  t.deepEqual(rig.node.started, [INIT]);
  t.deepEqual(rig.node.leftovers(), []);
  noViolations(t, rig.node);
  rig.kill();
});

test('a restarted agent adopts a running init container and goes on from it', async t => {
  const rig = new Rig();
  await rig.begin(setOf(pod()));
  rig.kill();
  await rig.begin(setOf(pod()));
  t.deepEqual(rig.node.started, [INIT]);
  rig.node.exit(INIT, { code: 0 });
  await rig.rest();
  t.deepEqual(rig.node.running(), [PROXY, MAIN]);
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 1 });
  rig.kill();
});

test('a restarted agent adopts main and sidecar, and sees the end of one that died meanwhile', async t => {
  const rig = new Rig();
  await rig.begin(setOf(pod()));
  rig.node.exit(INIT, { code: 0 });
  await rig.rest();
  rig.kill();
  rig.node.exit(PROXY, { code: 9 });
  await rig.begin(setOf(pod()));
  t.deepEqual(rig.node.running(), [MAIN, `${MAIN}-c1-2`]);
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 1, companions: [{ state: 'ended' }, { restarts: 1, lastExit: { code: 9 } }] });
  noViolations(t, rig.node);
  rig.kill();
});

test('after a reboot all of the task begins anew', async t => {
  const rig = new Rig();
  await rig.begin(setOf(pod()));
  rig.kill();
  rig.node.bootId = 'boot-2';
  rig.node.containers.clear();
  rig.node.slots.clear();
  await rig.begin(setOf(pod()));
  t.deepEqual(rig.node.running(), [`gantry-${ID}-2-c0-1`]);
  rig.kill();
});

/** Start, an init container to its end, a dead sidecar, a dead main container, a stop. */
async function live(rig: Rig): Promise<void> {
  const endIfRunning = async (id: string, code: number): Promise<void> => {
    if (rig.node.running().includes(id)) {
      rig.node.exit(id, { code });
      await rig.rest();
    }
  };
  await rig.desire(pod());
  await endIfRunning(INIT, 0);
  await endIfRunning(PROXY, 1);
  await endIfRunning(MAIN, 1);
  await rig.desire(pod({ desired: 'stop' }));
  await rig.pass(10_000);
  await rig.desire();
}

async function countSteps(): Promise<number> {
  const rig = new Rig();
  await rig.begin(EMPTY_DESIRED_SET);
  await live(rig);
  rig.kill();
  return rig.node.steps;
}

for (const isAfter of [false, true]) {
  test(`the agent killed at each step, ${isAfter ? 'after' : 'before'} its effect: nothing is started twice, and it ends as desired`, async t => {
    const steps = await countSteps();
    t.true(steps > 60);
    for (let at = 1; at <= steps; at += 1) {
      const rig = new Rig();
      rig.node.crashAt(at, isAfter, () => { rig.kill(); });
      await rig.begin(EMPTY_DESIRED_SET).catch(() => undefined);
      await live(rig);
      rig.node.restartAgent();
      await rig.begin(setOf(pod()));
      for (let turn = 0; turn < 5; turn += 1) {
        rig.node.running().filter(id => id.includes('-c0-')).forEach(id => { rig.node.exit(id, { code: 0 }); });
        await rig.pass(60_000);
      }
      const label = `crash at step ${String(at)} (${rig.node.calls.at(at - 1) ?? ''})`;
      t.deepEqual(rig.node.violations, [], label);
      t.is(rig.node.running().length, rig.node.lastStatus()?.phase === 'complete' ? 0 : 2, label);
      await rig.desire();
      await rig.pass(60_000);
      t.deepEqual(rig.node.leftovers(), [], label);
      t.is(rig.node.records.size, 0, label);
      rig.kill();
    }
  });
}
