import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseNodeId } from '#model/ids.ts';
import type { ControllerMessage } from '#model/session.ts';
import { EndpointsLoop } from '../../../../controller/endpoints/endpoints-loop.ts';
import { IN_FLIGHT_MS, WITHDRAWAL_LIMIT_MS, WithdrawalFlow } from '../../../../controller/endpoints/withdrawal-flow.ts';
import { SessionTable } from '../../../../controller/api/session-table.ts';
import type { LiveSession } from '../../../../controller/api/session-table.ts';
import { encodeService } from '../../../../controller/store/records.ts';
import { container, service, snapshot, task } from '../../../support/builders.ts';
import { settle } from '../../../support/fake-clock.ts';
import { MemoryReplica } from '../../../support/memory-replica.ts';

const web = service();

async function start(t: ExecutionContext): Promise<{ readonly replica: MemoryReplica; readonly endpoints: EndpointsLoop; readonly sessions: SessionTable; readonly open: (name: string) => LiveSession; readonly sent: ControllerMessage[] }> {
  const replica = await MemoryReplica.start(t);
  const sessions = new SessionTable();
  const endpoints = new EndpointsLoop({ state: replica.state, sessions, clock: replica.clock });
  endpoints.run(replica.signal).catch(() => undefined);
  const sent: ControllerMessage[] = [];
  const open = (name: string): LiveSession => {
    const session = { node: parseNodeId(name), sessionId: 's', recordRevision: 1, endpointsGeneration: 0, lastHeardMonotonicMs: 0, send: (message: ControllerMessage) => { sent.push(message); }, close: () => undefined };
    sessions.add(session);
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

test('a generation is acknowledged when every session has the set in force', async t => {
  const { replica, open, endpoints, sessions } = await start(t);
  const [one, two] = [open('n1'), open('n2')];
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  const { generation } = endpoints.current;
  let isReached: boolean | undefined;
  const wait = endpoints.awaitAcknowledged(generation, 2_000, replica.signal).then(value => { isReached = value; });
  one.endpointsGeneration = generation;
  sessions.changed();
  await settle();
  t.is(isReached, undefined);
  two.endpointsGeneration = generation;
  sessions.changed();
  await wait;
  t.true(isReached);
});

test('a revision that changed no endpoint counts as acknowledged with the set before it', async t => {
  const { replica, open, endpoints } = await start(t);
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  open('n1').endpointsGeneration = endpoints.current.generation;
  await replica.put({ kind: 'service', id: web.id }, encodeService({ ...web, updatedAtMs: web.updatedAtMs + 1 }));
  t.true(await endpoints.awaitAcknowledged(replica.etcd.etcdRevision, 2_000, replica.signal));
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
  const withdrawal = new WithdrawalFlow(endpoints, { awaitAtPeers: () => Promise.resolve() }, replica.clock, replica.signal);
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
  const withdrawal = new WithdrawalFlow(endpoints, { awaitAtPeers: () => Promise.resolve() }, replica.clock, replica.signal);
  const [stopping, silent] = [task(web, 'n1', { desired: 'stop', container: serving }), task(web, 'n1', { slot: 1, desired: 'stop' })];
  const state = snapshot({ tasks: [stopping, silent], services: [web] });
  const held = () => [...withdrawal.heldTasks(parseNodeId('n1'), state, () => undefined)];
  t.deepEqual(held(), [stopping.id, silent.id]);
  await replica.clock.advance(IN_FLIGHT_MS - 1);
  t.deepEqual(held(), [stopping.id]);
  await replica.clock.advance(1);
  t.deepEqual(held(), []);
});
