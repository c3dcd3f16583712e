import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { TaskStatus } from '#model/task.ts';
import { parseNodeId } from '#model/ids.ts';
import { writeStatuses } from '../../../../controller/api/status-write-flow.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import { decodeStatusRecord, encodeService, encodeStatusRecord, encodeTask } from '../../../../controller/store/records.ts';
import { service, status, task, taskId } from '../../../support/builders.ts';
import { MemoryReplica } from '../../../support/memory-replica.ts';

const web = service();
const mine = task(web, 'n1');
const foreign = task(web, 'n2', { slot: 1, id: taskId('zz') });
const N1 = parseNodeId('n1');
const SESSION = buildKey({ kind: 'session', id: N1 });

async function start(t: ExecutionContext): Promise<{ readonly replica: MemoryReplica; readonly sessionRevision: number }> {
  const replica = await MemoryReplica.start(t);
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  for (const one of [mine, foreign]) {
    await replica.put({ kind: 'task', id: one.id }, encodeTask(one));
  }
  const { etcdRevision } = await replica.store.transact([], [{ kind: 'put', key: SESSION, value: Uint8Array.of() }]);
  return { replica, sessionRevision: etcdRevision };
}

function stored(replica: MemoryReplica): TaskStatus | undefined {
  const entry = replica.etcd.read(buildKey({ kind: 'status', id: mine.id }));
  return entry === undefined ? undefined : decodeStatusRecord(entry.value);
}

test('a transition is written and told; the same again is settled without a write', async t => {
  const { replica, sessionRevision } = await start(t);
  const batch = { node: N1, sessionRevision, statuses: [status(mine)] };
  t.deepEqual(await writeStatuses(batch, replica, replica.signal), { settled: [{ task: mine.id, attempt: 1, phase: 'running' }], isDeposed: false });
  t.is(stored(replica)?.phase, 'running');
  t.deepEqual(replica.told.map(event => event.reason), ['Started']);
  const before = replica.etcd.etcdRevision;
  t.is((await writeStatuses(batch, replica, replica.signal)).settled.length, 1);
  t.is(replica.etcd.etcdRevision, before);
});

test('what changes only within a field is written', async t => {
  const { replica, sessionRevision } = await start(t);
  const resources = { requests: mine.container.requests, limits: { ...mine.container.limits, cpuset: '0' } };
  for (const one of [status(mine, { resources: { ...resources, limits: mine.container.limits } }), status(mine, { resources })]) {
    await writeStatuses({ node: N1, sessionRevision, statuses: [one] }, replica, replica.signal);
  }
  t.is(stored(replica)?.resources?.limits.cpuset, '0');
});

test('a status never goes back', async t => {
  const { replica, sessionRevision } = await start(t);
  await replica.put({ kind: 'status', id: mine.id }, encodeStatusRecord(status(mine, { attempt: 2, phase: 'running' })));
  for (const old of [status(mine, { attempt: 1, phase: 'failed' }), status(mine, { attempt: 2, phase: 'starting' })]) {
    t.is((await writeStatuses({ node: N1, sessionRevision, statuses: [old] }, replica, replica.signal)).settled.length, 1, 'the agent need not say it again');
    t.like(stored(replica), { attempt: 2, phase: 'running' });
  }
});

test('of another node\'s task, or of one that is gone, nothing is written', async t => {
  const { replica, sessionRevision } = await start(t);
  const before = replica.etcd.etcdRevision;
  const gone = task(web, 'n1', { id: taskId('yy'), slot: 2 });
  const statuses = [{ ...status(foreign), node: N1 }, status(gone)];
  t.is((await writeStatuses({ node: N1, sessionRevision, statuses }, replica, replica.signal)).settled.length, 2);
  t.is(replica.etcd.etcdRevision, before);
});

test('a session that was followed by another writes nothing more', async t => {
  const { replica, sessionRevision } = await start(t);
  await replica.store.transact([], [{ kind: 'put', key: SESSION, value: Uint8Array.of(1) }]);
  const outcome = await writeStatuses({ node: N1, sessionRevision, statuses: [status(mine)] }, replica, replica.signal);
  t.deepEqual(outcome, { settled: [], isDeposed: true });
  t.is(stored(replica), undefined);
});

test('a hundred statuses are written, in several transactions', async t => {
  const { replica, sessionRevision } = await start(t);
  const tasks = Array.from({ length: 100 }, (_, slot) => task(web, 'n1', { slot: slot + 10, id: taskId(`q${String.fromCharCode(97 + slot % 26)}${String.fromCharCode(97 + Math.floor(slot / 26))}`) }));
  for (const one of tasks) {
    await replica.put({ kind: 'task', id: one.id }, encodeTask(one));
  }
  const outcome = await writeStatuses({ node: N1, sessionRevision, statuses: tasks.map(one => status(one)) }, replica, replica.signal);
  t.is(outcome.settled.length, 100);
  t.is(replica.keys('status/').length, 100);
});

test('B12: what runs without a record is settled and told; what has ended without one is settled', async t => {
  const { replica, sessionRevision } = await start(t);
  const gone = task(web, 'n1', { slot: 2, id: taskId('gone') });
  const { settled } = await writeStatuses({ node: N1, sessionRevision, statuses: [status(gone)] }, replica, replica.signal);
  t.deepEqual(settled, [{ task: gone.id, attempt: 1, phase: 'running' }]);
  t.deepEqual(replica.told.map(event => [event.object, event.reason]), [['node/n1', 'UnknownTask']]);
  await writeStatuses({ node: N1, sessionRevision, statuses: [status(gone, { phase: 'complete' })] }, replica, replica.signal);
  t.is(replica.told.length, 1);
});
