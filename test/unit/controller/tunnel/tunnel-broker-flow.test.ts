import test from 'ava';
import { parseTaskId } from '#model/ids.ts';
import type { ControllerMessage } from '#model/session.ts';
import type { Tunnel, TunnelRequest } from '#model/tunnel.ts';
import type { LiveSession } from '../../../../controller/api/session-table.ts';
import { DIAL_BACK_LIMIT_MS, TunnelBroker } from '../../../../controller/tunnel/tunnel-broker-flow.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { liveSession } from '../../../support/live-session.ts';

const REQUEST: TunnelRequest = { task: parseTaskId('aaaaaaaaaaaa'), spec: { kind: 'forward', port: 80 } };
const NEVER = new AbortController().signal;

function setUp(): { readonly clock: FakeClock; readonly broker: TunnelBroker; readonly session: LiveSession; readonly sent: ControllerMessage[]; readonly tunnel: Tunnel } {
  const clock = new FakeClock();
  const sent: ControllerMessage[] = [];
  let ids = 0;
  const broker = new TunnelBroker(clock, () => `id${String(ids += 1)}`);
  const session = liveSession('n1', { send: message => { sent.push(message); } });
  const tunnel = { frames: { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true as const, value: undefined }) }) }, send: () => Promise.resolve(), close: () => undefined };
  return { clock, broker, session, sent, tunnel };
}

test('the agent is told an id, dials back with it, and its call lasts until the tunnel is finished', async t => {
  const { broker, session, sent, tunnel } = setUp();
  const opened = broker.open(session, { request: REQUEST }, NEVER);
  t.deepEqual(sent, [{ kind: 'open-tunnel', tunnelId: 'id1', request: REQUEST }]);
  let isOver = false;
  const arrival = broker.arrive('id1', 'n1', tunnel).then(() => { isOver = true; });
  const arrived = await opened;
  t.is(arrived.tunnel, tunnel);
  await settle();
  t.false(isOver);
  arrived.finish();
  await arrival;
  t.true(isOver);
});

test('an id works once, and for the node that was told', async t => {
  const { broker, session, tunnel } = setUp();
  const opened = broker.open(session, { request: REQUEST }, NEVER);
  t.like(await t.throwsAsync(broker.arrive('id1', 'n2', tunnel)), { code: 'NOT_FOUND' });
  t.like(await t.throwsAsync(broker.arrive('id9', 'n1', tunnel)), { code: 'NOT_FOUND' });
  const arrival = broker.arrive('id1', 'n1', tunnel);
  t.like(await t.throwsAsync(broker.arrive('id1', 'n1', tunnel)), { code: 'NOT_FOUND' });
  (await opened).finish();
  await arrival;
});

test('a refusal is the agent\'s own, a code that nobody knows is INTERNAL', async t => {
  const { broker, session } = setUp();
  const [first, second] = [broker.open(session, { request: REQUEST }, NEVER), broker.open(session, { request: REQUEST }, NEVER)];
  broker.refuse('id1', 'FAILED_PRECONDITION', 'it ended');
  broker.refuse('id2', 'BOGUS', 'what');
  broker.refuse('id3', 'INTERNAL', 'nobody asked');
  t.like(await t.throwsAsync(first), { code: 'FAILED_PRECONDITION', message: 'it ended' });
  t.like(await t.throwsAsync(second), { code: 'INTERNAL' });
});

test('an agent that does not dial back is given up, and comes too late then', async t => {
  const { clock, broker, session, tunnel } = setUp();
  const opened = broker.open(session, { request: REQUEST }, NEVER);
  const failure = t.throwsAsync(opened);
  await clock.advance(DIAL_BACK_LIMIT_MS);
  t.like(await failure, { code: 'DEADLINE_EXCEEDED' });
  t.like(await t.throwsAsync(broker.arrive('id1', 'n1', tunnel)), { code: 'NOT_FOUND' });
  t.is(clock.sleeping, 0);
});

test('a client that is gone waits for nothing', async t => {
  const { clock, broker, session } = setUp();
  const gone = new AbortController();
  const failure = t.throwsAsync(broker.open(session, { request: REQUEST }, gone.signal));
  gone.abort(new Error('gone'));
  t.is((await failure).message, 'gone');
  t.is(clock.sleeping, 0);
});
