import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { ConnectionLimits } from '#rpc/connection-bounds.ts';
import { createControlClient } from '#rpc/control-client.ts';
import { controlService } from '#rpc/control-server.ts';
import { secureContextOptions } from '#rpc/tls-fs.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { clusterView } from '../support/cluster-view.ts';
import { heldOf } from '../support/held-objects.ts';
import { oddIdentities } from '../support/odd-identities.ts';
import { rawCall, rawStatus } from '../support/raw-call.ts';
import { controlHandlers, TestAuthority } from '../support/rpc-cluster.ts';
import { silentLogger } from '../support/silent-logger.ts';

const log = silentLogger;
const authority = await TestAuthority.create();
const operator = await authority.identity('operator', 'joe');
const ODD = await oddIdentities(authority.keys, Date.now());
const STATUS = { epoch: 3, controllers: [], version: '0.1.0', clusterId: 'c' };

test('a001: a dial without a client certificate fails in the handshake', async t => {
  await authority.withControl(t, {}, async (client, address) => {
    const socket = connect({ port: Number(address.split(':')[1]), ca: authority.keys.certificatePem, checkServerIdentity: () => undefined, ALPNProtocols: ['h2'] });
    const [error] = await once(socket, 'error') as [Error];
    t.regex(error.message, /certificate required/);
    client.close();
  });
});

const BAD_CERTIFICATES = [
  ['another CA', /our certificate is of another certificate authority/, /UNABLE_TO|SIGNATURE/],
  ['expired', /our certificate has expired on/, /CERT_HAS_EXPIRED/],
  ['not yet valid', /our certificate is not valid before/, /CERT_NOT_YET_VALID/],
  ['for servers only', /our certificate is not for clients/, /INVALID_PURPOSE/],
] as const;

for (const [what, told, logged] of BAD_CERTIFICATES) {
  test(`a003: certificate ${what}: the client learns why, and the controller logs it`, async t => {
    const reasons: string[] = [];
    const server = await authority.serve(t, [controlService(controlHandlers({}), { log })], {
      log: { ...silentLogger, warn: fields => { reasons.push(JSON.stringify(fields)); } },
    });
    const client = createControlClient({ controllers: [server.address], identity: ODD[what] });
    t.like(await t.throwsAsync(client.clusterStatus(), { message: told }), { code: 'UNAVAILABLE' });
    t.regex(reasons.join('\n'), logged);
    client.close();
    });
}

test('a003: a server that is no controller of our CA is not talked to', async t => {
  await authority.withControl(t, {}, async (_client, address) => {
    const stranger = await TestAuthority.create();
    const client = createControlClient({ controllers: [address], identity: await stranger.identity('operator', 'joe') });
    t.like(await t.throwsAsync(client.clusterStatus(), { message: /its certificate is of another certificate authority/ }), { code: 'UNAVAILABLE' });
    client.close();
  });
});

test('TLS 1.2 is refused', async t => {
  await authority.withControl(t, {}, async (_client, address) => {
    const socket = connect({ ...secureContextOptions(operator), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', port: Number(address.split(':')[1]), rejectUnauthorized: false });
    const [error] = await once(socket, 'error') as [Error];
    t.regex(error.message, /protocol version/);
  });
});

test('a015: a request of more than 4 MiB is refused and handled by nobody', async t => {
  await authority.withControl(t, {}, async client => {
    const content = new Uint8Array(4 * 1024 * 1024 + 1);
    t.like(await t.throwsAsync(client.putSecret({ requestId: 'r', namespace: 'd', name: 's', content }), { message: /larger than max/ }), { code: 'RESOURCE_EXHAUSTED' });
  });
});

const SCALE = 'ControlApi/Scale';
/** A WatchRequest: field 1, of no bytes. */
const EMPTY_FILTER = Buffer.from([0x0a, 0x00]);

const GARBAGE: readonly (readonly [string, Buffer])[] = [
  ['20,000 nested groups', Buffer.alloc(20_000, 0x7b)],
  ['a length beyond the buffer', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f])],
  ['random bytes', Buffer.from('f7a93c1be2', 'hex')],
];
for (const [what, bytes] of GARBAGE) {
  test(`a017: ${what} is INVALID_ARGUMENT, and the server serves on`, async t => {
    await authority.withControl(t, { clusterStatus: () => Promise.resolve(STATUS) }, async (client, address) => {
      t.is(await rawStatus(address, operator, SCALE, bytes), '3');
      t.deepEqual(await client.clusterStatus(), STATUS);
    });
  });
}

test('headers of more than 16 KiB are refused', async t => {
  await authority.withControl(t, {}, async (_client, address) => {
  t.is(await rawStatus(address, operator, SCALE, Buffer.alloc(0), { padding: 'x'.repeat(20_000) }), '8');
  });
});

test('an id that is no id is INVALID_ARGUMENT and reaches no handler', async t => {
  await authority.withControl(t, {}, async client => {
    t.like(await t.throwsAsync(client.scale({ requestId: 'r', service: '../x' as never, replicas: 1 })), { code: 'INVALID_ARGUMENT' });
  });
});

/** Polls until it holds; the limit leaves room for a busy machine. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + 30_000; !await holds();) {
    if (Date.now() > endMs) throw new Error(`not so after 30 s: ${what}`);
    await sleep(20);
  }
}

/** A TCP connection that sends these bytes and no more; resolves once it is open. */
async function dialSilently(t: ExecutionContext, port: number, bytes = Buffer.alloc(0)): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port });
  t.teardown(() => { socket.destroy(); });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(bytes);
  return socket;
}

const LIMITS: ConnectionLimits = { handshakesOfOne: 1_000, handshakes: 1_000, connectionsOfOne: 1_000, connections: 1_000 };

test('an operator has at most 100 streams on a connection: further calls wait for their turn', async t => {
  const release = Promise.withResolvers<typeof STATUS>();
  let [open, peak] = [0, 0];
  const clusterStatus = async (): Promise<typeof STATUS> => {
    open += 1;
    peak = Math.max(peak, open);
    await release.promise;
    open -= 1;
    return STATUS;
  };
  await authority.withControl(t, { clusterStatus }, async (client, address) => {
    const calls = Array.from({ length: 130 }, () => client.clusterStatus());
    await until('100 calls begin', () => open >= 100);
    using raw = rawCall(address, operator, SCALE, Buffer.alloc(0));
    raw.stream.resume();
    await raw.status;
    t.is(raw.session.remoteSettings.maxConcurrentStreams, 100);
    release.resolve(STATUS);
    t.is((await Promise.all(calls)).length, 130);
    t.is(peak, 100);
  });
});

test('a connection of a node carries the tunnels of many operators: 1,000 streams', async t => {
  await authority.withControl(t, {}, async (_client, address) => {
    using raw = rawCall(address, await authority.identity('node', 'n1'), SCALE, Buffer.alloc(0));
    raw.stream.resume();
    t.is(await raw.status, '7');
    t.is(raw.session.remoteSettings.maxConcurrentStreams, 1_000);
  });
});

for (const [what, bytes] of [['nothing', Buffer.alloc(0)], ['a part of a TLS hello', Buffer.from('16030100c8010000c40303', 'hex')]] as const) {
  test(`a connection that sends ${what} is closed when its time for the handshake is over, and nothing is kept of it`, async t => {
    const server = await authority.serve(t, [], { handshakeTimeoutMs: 200 });
    const sockets = await Promise.all(Array.from({ length: 20 }, async () => await dialSilently(t, server.port, bytes)));
    await until('all are closed', () => sockets.every(socket => socket.closed || socket.readableEnded || socket.destroyed));
    await until('none is held', () => server.held().handshakes === 0);
    t.pass();
  });
}

test('a client that is refused 40 times fills no log: five lines, and one with the count', async t => {
  const lines: object[] = [];
  const log = { ...silentLogger, warn: (fields: object) => { lines.push(fields); } };
  const server = await authority.serve(t, [], { log });
  for (let count = 0; count < 40; count += 1) {
    const socket = connect({ port: server.port, ca: authority.keys.certificatePem, checkServerIdentity: () => undefined, ALPNProtocols: ['h2'] });
    await once(socket, 'error');
  }
  await server.close();
  t.is(lines.length, 6);
  t.like(lines.at(-1), { count: 35 });
});

test('handshakes of one address have a bound: those beyond it are closed at once', async t => {
  const server = await authority.serve(t, [], { limits: { ...LIMITS, handshakesOfOne: 3 } });
  const sockets = await Promise.all(Array.from({ length: 10 }, async () => await dialSilently(t, server.port)));
  await until('seven are closed', () => sockets.filter(socket => socket.destroyed || socket.readableEnded).length === 7);
  t.is(server.held().handshakes, 3);
});

test('with all places taken by handshakes that never end, a newcomer still gets in', async t => {
  const server = await authority.serve(t, [controlService(controlHandlers({ clusterStatus: () => Promise.resolve(STATUS) }), { log })], { limits: { ...LIMITS, handshakes: 5 } });
  await Promise.all(Array.from({ length: 20 }, async () => await dialSilently(t, server.port)));
  const client = createControlClient({ controllers: [server.address], identity: operator });
  t.teardown(() => { client.close(); });
  t.deepEqual(await client.clusterStatus(), STATUS);
  t.true(server.held().handshakes <= 5);
});

test('connections of one certificate have a bound; another operator is answered; all are given back', async t => {
  const server = await authority.serve(t, [controlService(controlHandlers({ clusterStatus: () => Promise.resolve(STATUS) }), { log })], { limits: { ...LIMITS, connectionsOfOne: 3 } });
  const clientOf = (identity: TlsIdentity): ReturnType<typeof createControlClient> => createControlClient({ controllers: [server.address], identity, timeoutMs: 5_000 });
  const joe = Array.from({ length: 3 }, () => clientOf(operator));
  for (const client of joe) t.deepEqual(await client.clusterStatus(), STATUS);
  const fourth = clientOf(operator);
  await t.throwsAsync(fourth.clusterStatus());
  fourth.close();
  const ann = clientOf(await authority.identity('operator', 'ann'));
  t.deepEqual(await ann.clusterStatus(), STATUS);
  t.is(server.held().connections, 4);
  [...joe, ann].forEach(client => { client.close(); });
  await until('all are given back', () => server.held().connections === 0);
});

test('watches of one operator have a bound over all its connections; another is served', async t => {
  const view = clusterView();
  const handlers = controlHandlers({ async* watch(_filter, _peer, signal) { yield view; await once(signal, 'abort'); } });
  const server = await authority.serve(t, [controlService(handlers, { log, limits: { callsOfOne: 100, calls: 100, watchesOfOne: 4, watches: 100 } })]);
  const watchOf = async (identity: TlsIdentity): Promise<unknown> => {
    const client = createControlClient({ controllers: [server.address], identity });
    t.teardown(() => { client.close(); });
    return await client.watch({}, new AbortController().signal)[Symbol.asyncIterator]().next();
  };
  for (let count = 0; count < 4; count += 1) await watchOf(operator);
  t.like(await t.throwsAsync(watchOf(operator), { message: 'operator joe: 4 watches are open, the most of one caller; end some of them' }), { code: 'RESOURCE_EXHAUSTED' });
  await t.notThrowsAsync(watchOf(await authority.identity('operator', 'ann')));
});

test('of watchers that read nothing and go, nothing is held', async t => {
  const given: WeakRef<object>[] = [];
  const handlers = controlHandlers({
    async* watch(_filter, _peer, signal) {
      while (!signal.aborted) {
        await sleep(0);
        const view = clusterView();
        given.push(new WeakRef(view));
        yield view;
      }
    },
  });
  const server = await authority.serve(t, [controlService(handlers, { log })]);
  const watchers = Array.from({ length: 20 }, () => rawCall(server.address, operator, 'ControlApi/Watch', EMPTY_FILTER));
  await until('they were given views', () => given.length > 100);
  watchers.forEach(watcher => { watcher.session.destroy(); });
  await until('nothing is held', async () => await heldOf(given) === 0);
  await until('nor a connection', () => server.held().connections === 0);
  t.pass();
});

test('of watchers that read nothing and stay, nothing is kept: their streams are reset soon after they are too slow', async t => {
  const handlers = controlHandlers({
    async* watch(_filter, _peer, signal) {
      while (!signal.aborted) {
        await sleep(0);
        yield clusterView();
      }
    },
  });
  const server = await authority.serve(t, [controlService(handlers, { log, readerStallMs: 200, dropGraceMs: 200 })]);
  const watchers = Array.from({ length: 20 }, () => rawCall(server.address, operator, 'ControlApi/Watch', EMPTY_FILTER));
  t.teardown(() => { watchers.forEach(watcher => { watcher.session.destroy(); }); });
  await until('each stream is reset', () => watchers.every(({ stream }) => stream.closed));
  t.false(watchers.some(({ session }) => session.closed), 'the connections are as they were');
});

test('a021: a deadline in centuries is the longest one there is, one in the past is over', async t => {
  await authority.withControl(t, { clusterStatus: () => Promise.resolve(STATUS) }, async (_client, address) => {
    const within = async (timeoutMs: number): Promise<unknown> => {
      const client = createControlClient({ controllers: [address], identity: operator, timeoutMs });
      try {
        return await client.clusterStatus();
      } finally {
        client.close();
      }
    };
    t.deepEqual(await within(1e18), STATUS);
    t.like(await t.throwsAsync(within(-1)), { code: 'DEADLINE_EXCEEDED' });
  });
});
