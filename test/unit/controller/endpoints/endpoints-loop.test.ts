import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseNodeId } from '#model/ids.ts';
import type { ControllerMessage } from '#model/session.ts';
import { EndpointsLoop, restAfterMs } from '../../../../controller/endpoints/endpoints-loop.ts';
import { IN_FLIGHT_MS, WITHDRAWAL_LIMIT_MS, WithdrawalFlow } from '../../../../controller/endpoints/withdrawal-flow.ts';
import { SessionTable } from '../../../../controller/api/session-table.ts';
import type { LiveSession } from '../../../../controller/api/session-table.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import type { Operation } from '../../../../controller/store/ports.ts';
import { encodeNode, encodeService, encodeTask, encodeTaskStatus } from '../../../../controller/store/records.ts';
import { container, node, service, snapshot, status, task, taskId } from '../../../support/builders.ts';
import { settle } from '../../../support/fake-clock.ts';
import { liveSession } from '../../../support/live-session.ts';
import { MemoryReplica } from '../../../support/memory-replica.ts';

const web = service();

async function start(t: ExecutionContext): Promise<{ readonly replica: MemoryReplica; readonly endpoints: EndpointsLoop; readonly sessions: SessionTable; readonly open: (name: string, takesEndpointChanges?: boolean) => LiveSession; readonly sent: ControllerMessage[] }> {
  const replica = await MemoryReplica.start(t);
  const sessions = new SessionTable();
  const endpoints = new EndpointsLoop({ state: replica.state, sessions, clock: replica.clock });
  endpoints.run(replica.signal).catch(() => undefined);
  const sent: ControllerMessage[] = [];
  const open = (name: string, takesEndpointChanges = true): LiveSession => {
    const session = liveSession(name, { takesEndpointChanges, send: message => { sent.push(message); } });
    sessions.add(session);
    endpoints.sendSet(session);
    sent.length = 0;
    return session;
  };
  await settle();
  return { replica, endpoints, sessions, open, sent };
}

test('a change of the endpoints is sent to each session; another change is not', async t => {
  const { replica, open, sent, endpoints } = await start(t);
  open('n1');
  open('n2');
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  t.is(sent.length, 2);
  await replica.put({ kind: 'service', id: web.id }, encodeService({ ...web, updatedAtMs: web.updatedAtMs + 1 }));
  t.is(sent.length, 2);
  t.is(endpoints.current.services.length, 1);
});

test('a session has what changed, the same message for all; whole sets are for an agent of before, and for one with a gap', async t => {
  const { replica, open, sent, endpoints } = await start(t);
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  const from = endpoints.current.generation;
  const first = open('n1');
  open('n2');
  open('n3', false);
  const other = service({ name: 'api' });
  await replica.put({ kind: 'service', id: other.id }, encodeService(other));
  const { generation } = endpoints.current;
  t.like(sent[0], { kind: 'endpoint-change', change: { from, generation, removedServices: [], nodes: [], removedNodes: [] } });
  t.deepEqual(sent[0]?.kind === 'endpoint-change' ? sent[0].change.services.map(change => change.service.id) : [], [other.id]);
  t.is(sent[1], sent[0]);
  t.deepEqual(sent[2], { kind: 'endpoints', endpoints: endpoints.current });
  endpoints.sendSet(first);
  t.is(sent[3], sent[2]);
});

test('a session that was not sent the set before gets the whole one', async t => {
  const { replica, open, sent, endpoints } = await start(t);
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  open('n1').sentEndpoints = 0;
  await replica.put({ kind: 'node', id: parseNodeId('n9') }, encodeNode(node('n9')));
  t.deepEqual(sent, [{ kind: 'endpoints', endpoints: endpoints.current }]);
});

test('after a look that took long it rests, and what came meanwhile is one message; a cheap one is followed at once', async t => {
  t.deepEqual([1, 2, 100, 250, 9_000].map(restAfterMs), [0, 8, 400, 1_000, 1_000]);
  const { replica, open, sessions, endpoints } = await start(t);
  const sent: ControllerMessage[] = [];
  // So long the first of these takes.
  let tookMs = 50;
  const slow = liveSession('n8', { send: message => { sent.push(message); replica.clock.stall(tookMs); tookMs = 0; } });
  sessions.add(slow);
  slow.sentEndpoints = endpoints.current.generation;
  open('n1');
  const services = ['a', 'b', 'c'].map(name => service({ name }));
  for (const one of services) {
    await replica.put({ kind: 'service', id: one.id }, encodeService(one));
  }
  t.is(sent.length, 1);
  await replica.clock.advance(199);
  t.is(sent.length, 1);
  await replica.clock.advance(1);
  await settle();
  t.deepEqual(sent.map(message => (message.kind === 'endpoint-change' ? message.change.services.length : -1)), [1, 2]);
  t.is(endpoints.current.services.length, 3);
});

test('of two writes that come soon after each other, however soon, each generation that is told has all that the cluster had then', async t => {
  const { replica, open, sent } = await start(t);
  const services = ['a', 'b'].map(name => service({ name }));
  const tasks = services.map(one => task(one, 'n1', { id: taskId(one.name) }));
  const put = (host: number) => tasks.map((one): Operation => ({ kind: 'put', key: buildKey({ kind: 'status', id: one.id }), value: encodeTaskStatus(status(one, { address: `10.128.0.${String(host)}` })) }));
  await replica.put({ kind: 'node', id: parseNodeId('n1') }, encodeNode(node('n1')));
  for (const one of services) await replica.put({ kind: 'service', id: one.id }, encodeService(one));
  for (const one of tasks) await replica.put({ kind: 'task', id: one.id }, encodeTask(one));
  open('n1');
  for (let steps = 0; steps < 40; steps += 1) {
    const [first, second] = put(steps);
    replica.etcd.commit([], first === undefined ? [] : [first]);
    for (let step = 0; step < steps; step += 1) await Promise.resolve();
    replica.etcd.commit([], second === undefined ? [] : [second]);
    await settle();
    const changes = sent.splice(0).flatMap(message => (message.kind === 'endpoint-change' ? [message.change] : []));
    t.is(changes.flatMap(change => change.services).length, 2);
    t.deepEqual(changes.filter(({ from, generation }) => generation <= from), [], `${String(steps)} steps between`);
  }
});

test('a generation is acknowledged when every session has the set in force', async t => {
  const { replica, open, endpoints, sessions } = await start(t);
  const [one, two] = [open('n1'), open('n2')];
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  const { generation } = endpoints.current;
  let isReached: boolean | undefined;
  const wait = endpoints.awaitAcknowledged(generation, 2_000, replica.signal).then(value => { isReached = value; });
  sessions.acknowledgeEndpoints(one, generation);
  await settle();
  t.is(isReached, undefined);
  sessions.acknowledgeEndpoints(two, generation);
  await wait;
  t.true(isReached);
});

test('a revision that changed no endpoint counts as acknowledged with the set before it', async t => {
  const { replica, open, endpoints, sessions } = await start(t);
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  sessions.acknowledgeEndpoints(open('n1'), endpoints.current.generation);
  await replica.put({ kind: 'service', id: web.id }, encodeService({ ...web, updatedAtMs: web.updatedAtMs + 1 }));
  t.true(await endpoints.awaitAcknowledged(replica.etcd.etcdRevision, 2_000, replica.signal));
});

test('so does a revision of what is not in the picture, as an event: a view may name it', async t => {
  const { replica, open, endpoints, sessions, sent } = await start(t);
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  sessions.acknowledgeEndpoints(open('n1'), endpoints.current.generation);
  await replica.put({ kind: 'event', object: 'cluster', reason: 'Told' }, new Uint8Array());
  const { etcdRevision } = replica.state.current;
  t.is(etcdRevision, replica.etcd.etcdRevision);
  const outcome = endpoints.awaitAcknowledged(etcdRevision, 2_000, replica.signal);
  await replica.clock.advance(2_000);
  t.true(await outcome);
  t.deepEqual(sent, []);
});

test('a session that ends is not waited for; one that is silent only for the time', async t => {
  const { replica, open, endpoints, sessions } = await start(t);
  const one = open('n1');
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  const wait = endpoints.awaitAcknowledged(endpoints.current.generation, 2_000, replica.signal);
  sessions.remove(one);
  t.true(await wait);
  open('n2');
  const late = endpoints.awaitAcknowledged(endpoints.current.generation, 2_000, replica.signal);
  await replica.clock.advance(2_000);
  t.false(await late);
});

test('a task that is to stop is held until the endpoints are withdrawn everywhere, or the time is over', async t => {
  const { replica, open, endpoints } = await start(t);
  open('n1');
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  const withdrawal = new WithdrawalFlow(endpoints, { awaitAtPeers: () => Promise.resolve(true) }, replica.clock, replica.signal);
  const stopping = task(web, 'n1', { desired: 'stop' });
  const running = task(web, 'n1', { slot: 1 });
  const state = snapshot({ tasks: [stopping, running], services: [web] });
  let wakes = 0;
  const held = () => [...withdrawal.heldTasks(parseNodeId('n1'), state, () => { wakes += 1; })];
  t.deepEqual(held(), [stopping.id]);
  await replica.clock.advance(WITHDRAWAL_LIMIT_MS - 1);
  t.deepEqual(held(), [stopping.id]);
  await replica.clock.advance(1);
  t.true(wakes > 0);
  t.deepEqual(held(), []);
});

test('a task with ports has time to answer what it was asked before', async t => {
  const { replica, endpoints } = await start(t);
  // As new as the records of `snapshot`, so that the endpoints count as withdrawn at once.
  while (replica.etcd.etcdRevision < 20) await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  const serving = container({ ports: [{ target: 80, protocol: 'tcp', mode: 'ingress', allowFrom: [] }] });
  const withdrawal = new WithdrawalFlow(endpoints, { awaitAtPeers: () => Promise.resolve(true) }, replica.clock, replica.signal);
  const [stopping, silent] = [task(web, 'n1', { desired: 'stop', container: serving }), task(web, 'n1', { slot: 1, desired: 'stop' })];
  const state = snapshot({ tasks: [stopping, silent], services: [web] });
  const held = () => [...withdrawal.heldTasks(parseNodeId('n1'), state, () => undefined)];
  t.deepEqual(held(), [stopping.id, silent.id]);
  await replica.clock.advance(IN_FLIGHT_MS - 1);
  t.deepEqual(held(), [stopping.id]);
  await replica.clock.advance(1);
  t.deepEqual(held(), []);
});
