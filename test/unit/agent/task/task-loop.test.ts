import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import type { ContainerSpec } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import { EMPTY_DESIRED_SET } from '../../../../agent/assignment.ts';
import { container, service, task as makeTask, taskId } from '../../../support/builders.ts';
import { DIGEST } from '../../../support/fake-node.ts';
import { noViolations, RECORDED_MS, Rig, setOf } from '../../../support/task-rig.ts';

const ID = taskId('ta');
const FIRST = `gantry-${ID}-1`;
const SECOND = `gantry-${ID}-2`;

function aTask(options: Partial<ContainerSpec> = {}, rest: Partial<Task> = {}): Task {
  return makeTask(service(), 'n1', { id: ID, container: container({ digest: DIGEST, ...options }), ...rest });
}

test('a task goes from assigned to running, with its address and pid', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask()));
  t.deepEqual(rig.node.running(), [FIRST]);
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 1, address: '10.128.1.2', pid: 100, health: 'none', restarts: 0 });
  noViolations(t, rig.node);
  rig.kill();
});

test('the move into the control groups is prepared before all else of a start', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask()));
  const { calls, callsBeforeMove } = rig.node;
  t.true(callsBeforeMove !== undefined && callsBeforeMove <= calls.indexOf('records.makeLogs'));
  rig.kill();
});

test('an image that is not there is pulled first', async t => {
  const rig = new Rig();
  rig.node.hasImage = false;
  await rig.begin(setOf(aTask()));
  t.true(rig.node.statuses.some(status => status.phase === 'pulling'));
  t.deepEqual(rig.node.running(), [FIRST]);
  rig.kill();
});

test('a host port that a process of the machine has is waited for: no attempt counts, and one event tells', async t => {
  const rig = new Rig();
  rig.node.takenPort = 'host port 8080/tcp is in use by another process (nginx, pid 7)';
  await rig.begin(setOf(aTask({ restart: { mode: 'never', maxAttempts: 1, windowMs: 1, delayMs: 1 } })));
  await rig.pass(20_000);
  t.like(rig.node.lastStatus(), { phase: 'assigned', attempt: 0, reason: 'HostPortTaken', message: rig.node.takenPort });
  t.is(rig.node.events.filter(reason => reason === 'HostPortTaken').length, 1);
  t.deepEqual(rig.node.leftovers(), []);
  rig.node.takenPort = undefined;
  await rig.pass(5_000);
  t.deepEqual(rig.node.running(), [FIRST]);
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 1, reason: '' });
  rig.kill();
});

test('a registry that is away is tried again within the attempt, and the status says so', async t => {
  const rig = new Rig();
  rig.node.hasImage = false;
  rig.node.faults.set('images.ensure', new ClusterError('UNAVAILABLE', 'registry reg:5000 does not answer'));
  await rig.begin(setOf(aTask()));
  t.like(rig.node.lastStatus(), { phase: 'pulling', attempt: 1, reason: 'ImagePullFailed', message: 'registry reg:5000 does not answer' });
  await rig.pass(1_000);
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 1, reason: '', message: '' });
  rig.kill();
});

test('an image that does not exist ends in failed, by the policy, with its message', async t => {
  const rig = new Rig();
  rig.node.hasImage = false;
  rig.node.faults.set('images.ensure', new ClusterError('NOT_FOUND', 'image reg/x:1 does not exist'));
  await rig.begin(setOf(aTask({ restart: { mode: 'never', maxAttempts: 1, windowMs: 1, delayMs: 1 } })));
  t.like(rig.node.lastStatus(), { phase: 'failed', reason: 'ImagePullFailed', message: 'image reg/x:1 does not exist', lastExit: { code: null, reason: 'start-failed' } });
  t.deepEqual(rig.node.leftovers(), []);
  rig.kill();
});

test('a dead container is restarted at once, in the same slot, with a fresh root file system', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask()));
  rig.node.exit(FIRST, { code: 7 });
  await rig.rest();
  t.deepEqual(rig.node.running(), [SECOND]);
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 2, restarts: 1, address: '10.128.1.2', lastExit: { attempt: 1, code: 7, reason: 'exited' } });
  t.deepEqual([...rig.node.rootfs], [SECOND]);
  noViolations(t, rig.node);
  rig.kill();
});

test('restarts beyond the budget end in failed, reason crash-loop, and nothing is left', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask({ restart: { mode: 'always', maxAttempts: 2, windowMs: 600_000, delayMs: 1_000 } })));
  rig.node.exit(FIRST, { code: 1 });
  await rig.rest();
  rig.node.exit(SECOND, { code: 1 });
  await rig.rest();
  t.like(rig.node.lastStatus(), { phase: 'assigned', attempt: 3, reason: 'restarting' });
  await rig.pass(1_000);
  rig.node.exit(`gantry-${ID}-3`, { code: 1 });
  await rig.rest();
  t.like(rig.node.lastStatus(), { phase: 'failed', attempt: 3, reason: 'crash-loop' });
  t.deepEqual(rig.node.leftovers(), []);
  noViolations(t, rig.node);
  rig.kill();
});

test('a job that exits 0 is complete, and its slot is given back', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask({}, { kind: 'job' })));
  rig.node.exit(FIRST, { code: 0 });
  await rig.rest();
  t.like(rig.node.lastStatus(), { phase: 'complete', reason: '', lastExit: { code: 0, reason: 'exited' } });
  t.deepEqual(rig.node.leftovers(), []);
  rig.kill();
});

test("a stop sends the image's signal, and the exit code stays true", async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask()));
  const signals = rig.node.containers.get(FIRST)?.signals;
  await rig.desire(aTask({}, { desired: 'stop', reason: 'scale-down' }));
  t.deepEqual(signals, ['SIGQUIT']);
  t.like(rig.node.lastStatus(), { phase: 'complete', reason: 'stopped', lastExit: { code: 143, reason: 'stopped' } });
  t.deepEqual(rig.node.leftovers(), []);
  t.is(rig.node.records.size, 1);
  await rig.desire();
  t.is(rig.node.records.size, 0);
  noViolations(t, rig.node);
  rig.kill();
});

test('a container that ignores the stop signal is killed after its grace period, not before', async t => {
  const rig = new Rig();
  rig.node.onSignal = undefined;
  await rig.begin(setOf(aTask({ stopGracePeriodMs: 5_000 })));
  await rig.desire(aTask({ stopGracePeriodMs: 5_000 }, { desired: 'stop' }));
  t.like(rig.node.lastStatus(), { phase: 'stopping' });
  await rig.pass(4_999);
  t.deepEqual(rig.node.running(), [FIRST]);
  await rig.pass(1);
  t.deepEqual(rig.node.running(), []);
  t.like(rig.node.lastStatus(), { phase: 'complete', lastExit: { code: 137, reason: 'stopped' } });
  rig.kill();
});

test('an unhealthy container is ended and restarted', async t => {
  const rig = new Rig();
  const healthcheck = { action: { kind: 'tcp' as const, port: 80 }, intervalMs: 1_000, timeoutMs: 1_000, retries: 3, startPeriodMs: 0 };
  let deliver: (health: 'starting' | 'healthy' | 'unhealthy') => void = () => undefined;
  rig.node.onVerdict = push => { deliver = health => { push({ health, message: health === 'healthy' ? '' : 'port 80 refused' }); }; };
  await rig.begin(setOf(aTask({ healthcheck })));
  t.like(rig.node.lastStatus(), { phase: 'running', health: 'starting' });
  deliver('starting');
  await rig.rest();
  t.like(rig.node.lastStatus(), { phase: 'running', health: 'starting', reason: '', message: 'port 80 refused' });
  deliver('healthy');
  await rig.rest();
  t.like(rig.node.lastStatus(), { phase: 'running', health: 'healthy' });
  deliver('unhealthy');
  await rig.rest();
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 2, lastExit: { reason: 'unhealthy', code: 143 } });
  rig.kill();
});

test('a container whose monitor died is ended, with an unknown exit, and restarted', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask()));
  const lost = rig.node.containers.get(FIRST);
  t.truthy(lost);
  if (lost !== undefined) lost.isMonitorAlive = false;
  rig.tasks?.wakeAll();
  await rig.rest();
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 2, lastExit: { code: null, reason: 'exit-unknown' } });
  rig.kill();
});

test('a first attempt waits for the permit', async t => {
  const rig = new Rig();
  rig.node.mayStart = false;
  await rig.begin(setOf(aTask()));
  t.deepEqual(rig.node.started, []);
  t.like(rig.node.lastStatus(), { phase: 'assigned', attempt: 0 });
  rig.node.mayStart = true;
  rig.tasks?.wakeAll();
  await rig.rest();
  t.deepEqual(rig.node.started, [FIRST]);
  rig.kill();
});

test('a task that needs a secret waits for it', async t => {
  const rig = new Rig();
  const secrets = [{ source: 'key', target: '/run/key', mode: 0o400 }];
  const needing = aTask({ secrets }, { pins: { configs: [], secrets: [{ name: 'key', version: 1 }] } });
  await rig.begin(setOf(needing));
  t.deepEqual(rig.node.started, []);
  const content = { key: 'secret/default/key/1', content: new Uint8Array([1]) };
  rig.tasks?.desire({ ...setOf(needing), contents: new Map([[content.key, content]]) });
  await rig.rest();
  t.deepEqual(rig.node.started, [FIRST]);
  rig.kill();
});

test('a restarted agent adopts the running container: same attempt, same pid', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask()));
  rig.kill();
  await rig.begin(setOf(aTask()));
  t.deepEqual(rig.node.started, [FIRST]);
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 1, pid: 100 });
  t.is(rig.node.slots.size, 1);
  rig.kill();
});

test('an exit while the agent is away is reported with its code and time', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask()));
  rig.kill();
  const atMs = rig.clock.nowMs();
  rig.node.exit(FIRST, { code: 7 });
  await rig.clock.advance(30_000);
  await rig.begin(setOf(aTask()));
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 2, lastExit: { attempt: 1, code: 7, finishedAtMs: atMs } });
  rig.kill();
});

test('after a reboot the exit is unknown, and the next attempt gets a new slot', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask()));
  await rig.pass(RECORDED_MS);
  rig.kill();
  rig.node.bootId = 'boot-2';
  rig.node.containers.clear();
  rig.node.slots.clear();
  rig.node.rootfs.clear();
  rig.node.bundles.clear();
  await rig.begin(setOf(aTask()));
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 2, address: '10.128.1.3', lastExit: { attempt: 1, code: null, reason: 'exit-unknown' } });
  noViolations(t, rig.node);
  rig.kill();
});

test('containers without a record are removed, and their attempts are not used again', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask()));
  rig.kill();
  rig.node.records.clear();
  await rig.begin(setOf(aTask()));
  t.deepEqual(rig.node.running(), [SECOND]);
  t.deepEqual(rig.node.started, [FIRST, SECOND]);
  t.is(rig.node.slots.size, 1);
  rig.kill();
});

/** The whole life of a task in steps: start, a death, a restart, a stop, removal. */
async function live(rig: Rig): Promise<void> {
  await rig.desire(aTask());
  if (rig.node.running().includes(FIRST)) {
    rig.node.exit(FIRST, { code: 1 });
    await rig.rest();
  }
  await rig.desire(aTask({}, { desired: 'stop' }));
  await rig.pass(10_000);
  await rig.desire();
  await rig.rest();
}

async function countSteps(): Promise<number> {
  const rig = new Rig();
  await rig.begin(EMPTY_DESIRED_SET);
  await live(rig);
  rig.kill();
  return rig.node.steps;
}

for (const isAfter of [false, true]) {
  test(`the agent killed at each step, ${isAfter ? 'after' : 'before'} its effect: never two containers, and it ends as desired`, async t => {
    const steps = await countSteps();
    t.true(steps > 20);
    for (let at = 1; at <= steps; at += 1) {
      const rig = new Rig();
      rig.node.crashAt(at, isAfter, () => { rig.kill(); });
      await rig.begin(EMPTY_DESIRED_SET).catch(() => undefined);
      await live(rig);
      rig.node.restartAgent();
      await rig.begin(setOf(aTask({}, { id: ID })));
      await rig.pass(60_000);
      const label = `crash at step ${String(at)} (${rig.node.calls.at(at - 1) ?? ''})`;
      t.deepEqual(rig.node.violations, [], label);
      t.is(rig.node.running().length, rig.node.lastStatus()?.phase === 'complete' ? 0 : 1, label);
      await rig.desire();
      await rig.pass(60_000);
      t.deepEqual(rig.node.leftovers(), [], label);
      t.is(rig.node.records.size, 0, label);
      rig.kill();
    }
  });
}

for (const isReboot of [false, true]) {
  test(`the journal's line was kept and not its record, ${isReboot ? 'after a power loss' : 'after kill -9 of the agent'}: the number is not used again`, async t => {
    const rig = new Rig();
    await rig.begin(setOf(aTask()));
    await rig.pass(RECORDED_MS);
    rig.kill();
    rig.node.records.forEach((record, id) => rig.node.records.set(id, { ...record, step: 'idle' }));
    rig.node.journal.push(`${ID} 7`);
    if (isReboot) rig.node.reboot();
    rig.node.restartAgent();
    await rig.begin(setOf(aTask()));
    await rig.pass(60_000);
    t.deepEqual(rig.node.running(), [`gantry-${ID}-8`]);
    rig.kill();
  });
}

test('what has no readable record is forgotten when its task is not assigned any more, else its task starts anew', async t => {
  const rig = new Rig();
  const gone = taskId('tb');
  rig.node.corrupt.add(ID).add(gone);
  rig.node.journal.push(`${ID} 3`);
  await rig.begin(setOf(aTask()));
  t.deepEqual([...rig.node.corrupt], [ID]);
  await rig.pass(60_000);
  t.deepEqual(rig.node.running(), [`gantry-${ID}-4`]);
  noViolations(t, rig.node);
  rig.kill();
});

test('each step that fails in turn leaves nothing acquired once the task is stopped', async t => {
  const names = [
    'images.find', 'devices.take', 'network.acquire', 'records.save', 'snapshots.prepare', 'volumes.prepare', 'bundles.create', 'configs.configJson', 'runtime.create',
    'records.appendStart', 'runtime.start', 'runtime.remove', 'snapshots.remove', 'bundles.remove', 'runtime.kill', 'volumes.remove', 'network.release', 'records.forget',
  ];
  for (const name of names) {
    const rig = new Rig();
    await rig.begin(EMPTY_DESIRED_SET);
    rig.node.faults.set(name, new Error(`${name} does not work`));
    await rig.desire(aTask());
    await rig.pass(60_000);
    t.is(rig.node.running().length, 1, name);
    await rig.desire(aTask({}, { desired: 'stop' }));
    await rig.pass(60_000);
    t.like(rig.node.lastStatus(), { phase: 'complete' }, name);
    t.deepEqual(rig.node.leftovers(), [], name);
    await rig.desire();
    await rig.pass(60_000);
    t.is(rig.node.records.size, 0, name);
    noViolations(t, rig.node);
    rig.kill();
  }
});

test('a stop in the middle of a pull ends the attempt at once', async t => {
  const rig = new Rig();
  rig.node.hasImage = false;
  rig.node.faults.set('images.ensure', new ClusterError('UNAVAILABLE', 'registry away'));
  await rig.begin(setOf(aTask()));
  await rig.desire(aTask({}, { desired: 'stop' }));
  t.like(rig.node.lastStatus(), { phase: 'complete', reason: 'stopped' });
  t.deepEqual(rig.node.started, []);
  noViolations(t, rig.node);
  rig.kill();
});

test('a stop that is asked for at the container: its code is told, it ends as stopped, and no attempt follows', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask({ stopGracePeriodMs: 30_000 })));
  rig.node.onSignal = undefined;
  rig.tasks?.find(ID)?.stop(1_000);
  await rig.rest();
  t.like(rig.node.lastStatus(), { phase: 'stopping', reason: 'stopped' });
  await rig.pass(1_000);
  await rig.pass(60_000);
  t.like(rig.node.lastStatus(), { phase: 'complete', reason: 'stopped', attempt: 1, lastExit: { code: 137, reason: 'stopped' } });
  t.deepEqual(rig.node.running(), []);
  noViolations(t, rig.node);
  rig.kill();
});

test('F8: processes killed for memory are told once a second count agrees, each rise once, and only while the attempt runs', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask()));
  const told = async (attempt: number, count: number): Promise<string | undefined> => {
    rig.tasks?.tellOomKills(ID, attempt, count);
    await rig.rest();
    return rig.node.lastStatus()?.message;
  };
  t.is(await told(1, 0), '');
  t.is(await told(1, 0), '');
  t.is(await told(1, 2), '');
  t.is(await told(1, 2), 'the kernel killed 2 of its processes for memory; its first process goes on');
  t.like(rig.node.lastStatus(), { phase: 'running', reason: 'OOMKilledChild', restarts: 0 });
  t.regex(await told(1, 3) ?? '', /killed 2/);
  t.regex(await told(1, 3) ?? '', /killed 3/);
  rig.node.exit(FIRST, { code: 137, isOomKilled: true });
  await rig.pass(1_000);
  await told(1, 4);
  t.is(await told(1, 4), rig.node.lastStatus()?.message);
  t.notRegex(rig.node.lastStatus()?.message ?? '', /killed 4/);
  t.like(rig.node.lastStatus(), { lastExit: { reason: 'OOMKilled' } });
  rig.kill();
});

test('an attempt that wrote more than it may is killed at once, and its end says why', async t => {
  const rig = new Rig();
  await rig.begin(setOf(aTask({ restart: { mode: 'never', maxAttempts: 1, windowMs: 1, delayMs: 1 } })));
  rig.tasks?.tellOverStorage(ID, 2, 'of another attempt');
  await rig.rest();
  t.deepEqual(rig.node.running(), [FIRST]);
  rig.tasks?.tellOverStorage(ID, 1, 'wrote 2Mi, may 1Mi');
  await rig.rest();
  t.true(rig.node.statuses.some(status => status.reason === 'storage-exceeded' && status.message === 'wrote 2Mi, may 1Mi'));
  t.like(rig.node.lastStatus(), { phase: 'failed', reason: 'storage-exceeded', lastExit: { reason: 'storage-exceeded' } });
  noViolations(t, rig.node);
  rig.kill();
});

test('G1: each retry of a pull is told while it goes on', async t => {
  const rig = new Rig();
  rig.node.pullRetries = ['r: status 500', 'r: status 503'];
  await rig.begin(setOf(aTask()));
  t.deepEqual(rig.node.statuses.filter(status => status.reason === 'PullRetried').map(status => `${status.phase} ${status.message}`),
    ['pulling r: status 500; tried again', 'pulling r: status 503; tried again']);
  t.like(rig.node.lastStatus(), { phase: 'running', reason: '' });
  rig.kill();
});
