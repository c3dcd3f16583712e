import test from 'ava';
import { container, service, task, taskId } from '../../../support/builders.ts';
import { DIGEST } from '../../../support/fake-node.ts';
import { noViolations, RECORDED_MS, Rig, setOf } from '../../../support/task-rig.ts';

const ID = taskId('ta');
const FIRST = `gantry-${ID}-1`;
const TASK = task(service(), 'n1', { id: ID, container: container({ digest: DIGEST }) });

test('an agent that is killed right after a start, before the record says so, adopts the task with its start time', async t => {
  const rig = new Rig();
  await rig.begin(setOf(TASK));
  const startedAtMs = rig.node.lastStatus()?.startedAtMs;
  t.is(rig.node.records.get(ID)?.step, 'building');
  rig.kill();
  await rig.begin(setOf(TASK));
  t.deepEqual(rig.node.started, [FIRST]);
  t.like(rig.node.lastStatus(), { phase: 'running', attempt: 1, startedAtMs });
  await rig.pass(RECORDED_MS);
  t.is(rig.node.records.get(ID)?.step, 'running');
  noViolations(t, rig.node);
  rig.kill();
});

test('a record says that a task runs once it has run for a while; one that ends sooner is written once', async t => {
  const rig = new Rig();
  await rig.begin(setOf(TASK));
  t.is(rig.node.records.get(ID)?.step, 'building');
  const saves = rig.node.calls.filter(call => call === 'records.save').length;
  await rig.pass(RECORDED_MS);
  t.is(rig.node.calls.filter(call => call === 'records.save').length, saves + 1);
  t.is(rig.node.records.get(ID)?.step, 'running');
  rig.kill();
});

test('a task that must not run twice is said to run before anything else: a machine that goes down at once does not start it again', async t => {
  const rig = new Rig();
  const once = task(service(), 'n1', { id: ID, container: container({ digest: DIGEST, restart: { mode: 'never', maxAttempts: 0, windowMs: 0, delayMs: 0 } }) });
  await rig.begin(setOf(once));
  t.is(rig.node.records.get(ID)?.step, 'running');
  rig.kill();
  rig.node.reboot();
  rig.node.restartAgent();
  await rig.begin(setOf(once));
  t.deepEqual(rig.node.started, [FIRST]);
  t.like(rig.node.lastStatus(), { phase: 'failed', lastExit: { attempt: 1, code: null, reason: 'exit-unknown' } });
  rig.kill();
});

test('of a stopped task its end is on disk before it is taken away, and that it is finished before it is told: two writes', async t => {
  const rig = new Rig();
  await rig.begin(setOf(TASK));
  await rig.pass(RECORDED_MS);
  const before = rig.node.calls.length;
  await rig.desire({ ...TASK, desired: 'stop' });
  t.like(rig.node.lastStatus(), { phase: 'complete' });
  t.is(rig.node.slots.size, 0);
  t.is(rig.node.records.get(ID)?.step, 'finished');
  await rig.pass(RECORDED_MS);
  const calls = rig.node.calls.slice(before);
  t.is(calls.filter(call => call === 'records.save').length, 2);
  t.true(calls.indexOf('records.save') < calls.indexOf('runtime.remove'), calls.join(' '));
  noViolations(t, rig.node);
  rig.kill();
});
