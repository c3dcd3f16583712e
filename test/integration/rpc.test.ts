import { once } from 'node:events';
import { connect } from 'node:tls';
import test from 'ava';
import { fc } from '../support/property.ts';
import { createSigningRequest } from '#identity/certificate-authority.ts';
import { CERTIFICATE_TTL_MS, certificateSha256 } from '#identity/certificate-rules.ts';
import { ClusterError } from '#model/errors.ts';
import { parseNodeId, parseTaskId, serviceId } from '#model/ids.ts';
import type { ClusterEvent } from '#model/event.ts';
import type { AgentHandlers, Peer } from '#model/ports.ts';
import type { Tunnel, TunnelFrame, TunnelRequest } from '#model/tunnel.ts';
import { connectAgent, joinCluster, renewExpired } from '#rpc/agent-client.ts';
import { agentService, joinService } from '#rpc/agent-server.ts';
import { createControlClient } from '#rpc/control-client.ts';
import { controlService } from '#rpc/control-server.ts';
import { connectPeer } from '#rpc/peer-client.ts';
import { peerService } from '#rpc/peer-server.ts';
import { secureContextOptions } from '#rpc/tls-fs.ts';
import { controlHandlers, TestAuthority } from '../support/rpc-cluster.ts';
import { silentLogger } from '../support/silent-logger.ts';
import * as values from '../support/wire-arbitraries.ts';

const log = silentLogger;
const authority = await TestAuthority.create();
const operator = await authority.identity('operator', 'joe');
const nodeIdentity = await authority.identity('node', 'n1');
const STATUS = { epoch: 3, controllers: [], version: '0.1.0', clusterId: 'c' };
const USAGE = { isNatsConnected: true, tasks: [{ sample: one(values.usageSample), milliCpu: 250 }] };
const REQUEST: TunnelRequest = { task: parseTaskId('abcdefghijkl'), spec: { kind: 'logs', follow: true, timestamps: false, previous: false } };

function one<Value>(values_: fc.Arbitrary<Value>): Value {
  const [value] = fc.sample(values_, { numRuns: 1, seed: 11 });
  if (value === undefined) {
    throw new Error('fast-check gave nothing');
  }
  return value;
}

function agentHandlers(some: Partial<AgentHandlers>): AgentHandlers {
  const never = (): never => { throw new Error('not of this test'); };
  return { session: never, tunnel: never, renew: never, pullLogin: never, ...some };
}

test('every unary call of ControlApi carries its request, its peer and its answer', async t => {
  const app = one(values.appSpec);
  const outcome = one(values.applyOutcome);
  const view = one(values.clusterView);
  const node = parseNodeId('n1');
  const service = serviceId('default', 'shop', 'web');
  const requestId = 'r1';
  const calls: { name: string; request: unknown; answer: unknown }[] = [
    { name: 'apply', request: { requestId, app, isDryRun: true, expireAfterEndMs: 5 }, answer: outcome },
    { name: 'deleteApp', request: { requestId, namespace: 'default', app: 'shop', withVolumes: true }, answer: undefined },
    { name: 'deleteService', request: { requestId, service }, answer: undefined },
    { name: 'scale', request: { requestId, service, replicas: 3 }, answer: undefined },
    { name: 'restart', request: { requestId, service }, answer: undefined },
    { name: 'stopTask', request: { requestId, task: REQUEST.task }, answer: undefined },
    { name: 'viewPage', request: { filter: { namespace: 'default' }, pageSize: 10, pageToken: 'p' }, answer: { view, nextPageToken: 'q' } },
    { name: 'revisions', request: { namespace: 'default', app: 'shop' }, answer: [one(values.revision)] },
    { name: 'events', request: { object: 'node/n1' }, answer: [one(values.event)] },
    { name: 'putSecret', request: { requestId, namespace: 'default', name: 's', content: new Uint8Array([1]) }, answer: { version: 2 } },
    { name: 'listSecrets', request: {}, answer: [{ namespace: 'default', name: 's', version: 2, createdAtMs: 1 }] },
    { name: 'deleteSecret', request: { requestId, namespace: 'default', name: 's' }, answer: undefined },
    { name: 'createToken', request: { ttlMs: 60_000, role: 'node' }, answer: { token: 't', expiresAtMs: 9 } },
    { name: 'renewCertificate', request: { csrPem: 'r' }, answer: { certificatePem: 'c' } },
    { name: 'setAvailability', request: { requestId, node, availability: 'draining' }, answer: undefined },
    { name: 'setLabels', request: { requestId, node, set: new Map([['a', 'b']]), remove: ['c'] }, answer: undefined },
    { name: 'setTaints', request: { requestId, node, taints: ['gpu'] }, answer: undefined },
    { name: 'confirmLost', request: { requestId, node }, answer: undefined },
    { name: 'removeNode', request: { requestId, node }, answer: undefined },
    { name: 'replaceNode', request: { node, ttlMs: 60_000, isForced: true }, answer: { token: 't', expiresAtMs: 9, pending: '' } },
    { name: 'awaitRouted', request: { etcdRevision: 7, timeoutMs: 3_000 }, answer: { isReached: true } },
    { name: 'resolveImage', request: { namespace: 'default', image: 'web' }, answer: { image: 'r/web:latest', digest: app.services[0]?.container.digest ?? `sha256:${'a'.repeat(64)}` } },
    { name: 'listTags', request: { namespace: 'default', image: 'web' }, answer: { repository: 'r/web', tags: ['1'] } },
    { name: 'tagImage', request: { namespace: 'default', source: 'web:1', target: 'web:2' }, answer: { image: 'r/web:2', digest: `sha256:${'b'.repeat(64)}` } },
    { name: 'putRegistryLogin', request: { requestId, namespace: 'default', registry: 'r', username: 'u', password: 'p' }, answer: { registry: 'r' } },
    { name: 'listRegistryLogins', request: {}, answer: [{ namespace: 'default', registry: 'r', username: 'u', createdAtMs: 1 }] },
    { name: 'deleteRegistryLogin', request: { requestId, namespace: 'default', registry: 'r' }, answer: { registry: 'r' } },
  ];
  const seen: unknown[] = [];
  const handlers = Object.fromEntries(calls.map(({ name, answer }) => [name, async (request: unknown, peer: Peer) => {
    const { certifiedAtMs: _issued, certificateLifeMs: _life, ...who } = peer;
    seen.push([name, request, who]);
    return await Promise.resolve(answer);
  }]));
  await authority.withControl(t, { ...handlers, clusterStatus: () => Promise.resolve(STATUS), usage: () => Promise.resolve(USAGE) }, async client => {
    for (const { name, request, answer } of calls) {
      const call = Reflect.get(client, name) as (request: unknown) => Promise<unknown>;
      t.deepEqual(await call(request), answer, name);
      t.deepEqual(seen.at(-1), [name, request, { role: 'operator', name: 'joe', address: '127.0.0.1' }]);
    }
    t.deepEqual(await client.clusterStatus(), STATUS);
    t.deepEqual(await client.usage(), USAGE);
  });
});

test('a ClusterError crosses with code, message and violations; a bug crosses as INTERNAL without its words', async t => {
  const violations = [{ path: 'services.web.image', message: 'is missing' }];
  const failures: Error[] = [new ClusterError('INVALID_ARGUMENT', 'app is not valid', { violations }), new Error('password is hunter2')];
  await authority.withControl(t, { clusterStatus: () => Promise.reject(failures.shift() ?? new Error('none')) }, async client => {
    t.like(await t.throwsAsync(client.clusterStatus()), { code: 'INVALID_ARGUMENT', message: 'app is not valid', violations });
    t.like(await t.throwsAsync(client.clusterStatus()), { code: 'INTERNAL', message: 'internal error' });
  });
});

test('a large answer crosses: views of big clusters exceed what a request may have', async t => {
  const event: ClusterEvent = { ...one(values.event), message: 'x'.repeat(6 * 1024 * 1024) };
  await authority.withControl(t, { events: () => Promise.resolve([event]) }, async client => { t.deepEqual(await client.events({}), [event]); });
});

test('a call without an answer ends at its deadline', async t => {
  const server = await authority.serve(t, [controlService(controlHandlers({ clusterStatus: () => new Promise(() => undefined) }), { log })]);
  const client = createControlClient({ controllers: [server.address], identity: operator, timeoutMs: 100 });
  t.like(await t.throwsAsync(client.clusterStatus()), { code: 'DEADLINE_EXCEEDED' });
  client.close();
});

test('the next controller answers when one is unreachable or UNAVAILABLE', async t => {
  const broken = await authority.serve(t, [controlService(controlHandlers({ clusterStatus: () => Promise.reject(new ClusterError('UNAVAILABLE', 'etcd is away')) }), { log })]);
  const good = await authority.serve(t, [controlService(controlHandlers({ clusterStatus: () => Promise.resolve(STATUS) }), { log })]);
  const client = createControlClient({ controllers: ['127.0.0.1:1', broken.address, good.address], identity: operator });
  t.deepEqual(await client.clusterStatus(), STATUS);
  client.close();
  const alone = createControlClient({ controllers: ['127.0.0.1:1'], identity: operator });
  t.like(await t.throwsAsync(alone.clusterStatus()), { code: 'UNAVAILABLE', message: '127.0.0.1:1 cannot be reached: connection refused' });
  alone.close();
});

test('a node may not call ControlApi, an operator may not call AgentApi or PeerApi', async t => {
  await authority.withControl(t, {}, async client => {
    t.like(await t.throwsAsync(client.clusterStatus()), { code: 'PERMISSION_DENIED', message: 'node n1 may not call this; it is for operators' });
  }, { identity: nodeIdentity });
  const server = await authority.serve(t, [
    agentService(agentHandlers({}), { log }),
    peerService({ relay: () => Promise.resolve(), awaitEndpoints: () => Promise.resolve({ isReached: true }), hearsNode: () => Promise.resolve({ isHeard: false }) }, { log }),
  ]);
  const agent = connectAgent(server.address, operator);
  t.like(await t.throwsAsync(agent.renew('x')), { code: 'PERMISSION_DENIED' });
  await t.throwsAsync(async () => { for await (const message of agent.session().receive()) { t.fail(message.kind); } }, { message: /it is for nodes/ });
  const peer = connectPeer(server.address, operator);
  t.like(await t.throwsAsync(peer.awaitEndpoints(1, 10)), { code: 'PERMISSION_DENIED' });
  agent.close();
  peer.close();
});

test('a watch gives what the handler yields, and the handler learns when the watcher leaves', async t => {
  const { change: _, ...view } = one(values.clusterView);
  const change = { isPartial: false, goneApps: [], goneServices: [], goneTasks: [], goneNodes: [] };
  const none = { apps: [], services: [], tasks: [], pending: [], nodes: [] };
  const left = Promise.withResolvers<unknown>();
  await authority.withControl(t, {
    async *watch(filter, _peer, signal) {
      t.deepEqual(filter, { app: 'shop', takesChanges: true });
      yield view;
      yield { etcdRevision: 2, ...none, change: { ...change, isPartial: true } };
      yield { etcdRevision: 3, ...none, change };
      await new Promise(resolve => { signal.addEventListener('abort', resolve); });
      left.resolve(signal.reason);
    },
  }, async client => {
    const stop = new AbortController();
    const told: unknown[] = [];
    for await (const seen of client.watch({ app: 'shop' }, stop.signal)) {
      told.push(seen);
      if (seen.etcdRevision === 3) break;
    }
    t.deepEqual(told, [view, { etcdRevision: 3, ...none }]);
    t.true(await left.promise instanceof ClusterError);
    const aborted = new Error('enough');
    stop.abort(aborted);
    t.is(await t.throwsAsync(async () => { for await (const seen of client.watch({}, stop.signal)) { t.fail(String(seen.etcdRevision)); } }), aborted);
  });
});

test('a019: a watcher that never reads is dropped as too slow, and the handler is told', async t => {
  const event = { ...one(values.event), message: 'x'.repeat(10_000) };
  const told = Promise.withResolvers<boolean>();
  let given = 0;
  await authority.withControl(t, {
    async *watchEvents(_filter, _peer, signal) {
      signal.addEventListener('abort', () => { told.resolve(true); });
      for (; given < 100_000 && !signal.aborted; given += 1) {
        yield event;
        await new Promise(resolve => { setImmediate(resolve); });
      }
    },
  }, async client => {
    const watch = client.watchEvents({}, new AbortController().signal)[Symbol.asyncIterator]();
    await watch.next();
    t.true(await told.promise);
    t.true(given < 5_000, `${String(given)} events were taken from the handler`);
    const error = await t.throwsAsync(async () => { while ((await watch.next()).done !== true) { /* drain */ } }, { message: /too slow/ });
    t.like(error, { code: 'RESOURCE_EXHAUSTED' });
  }, { readerStallMs: 1_000 });
});

test('a session carries every message both ways, in order, and ends for both when the controller closes it', async t => {
  const up = fc.sample(values.agentMessage, { numRuns: 20, seed: 3 });
  const down = fc.sample(values.controllerMessage, { numRuns: 20, seed: 4 });
  const received: unknown[] = [];
  const server = await authority.serve(t, [agentService(agentHandlers({
    async session(end, peer) {
      const { certifiedAtMs = 0, certificateLifeMs, ...who } = peer;
      t.is(certificateLifeMs, CERTIFICATE_TTL_MS);
      t.deepEqual(who, { role: 'node', name: 'n1', address: '127.0.0.1' });
      t.true(Math.abs(Date.now() - certifiedAtMs) < 600_000);
      for (const message of down) {
        end.send(message);
      }
      for await (const message of end.receive()) {
        received.push(message);
        if (received.length === up.length) {
          end.close('test is over');
        }
      }
    },
  }), { log })]);
  const connection = connectAgent(server.address, nodeIdentity);
  const session = connection.session();
  for (const message of up) {
    session.send(message);
  }
  const answers: unknown[] = [];
  for await (const message of session.receive()) {
    answers.push(message);
  }
  t.deepEqual(received, up);
  t.deepEqual(answers, down);
  connection.close();
});

test('the controller\'s receive ends when the agent leaves, the agent\'s throws when the controller dies', async t => {
  const ended = Promise.withResolvers<string>();
  const server = await authority.serve(t, [agentService(agentHandlers({
    async session(end) {
      try {
        for await (const message of end.receive()) {
          end.send({ kind: 'go-elsewhere', reason: message.kind });
        }
        ended.resolve('ended');
      } catch (error) {
        ended.resolve(error instanceof ClusterError ? error.code : 'odd');
      }
    },
  }), { log })]);
  const first = connectAgent(server.address, nodeIdentity);
  const session = first.session();
  session.send({ kind: 'assignment-gap' });
  for await (const message of session.receive()) {
    t.deepEqual(message, { kind: 'go-elsewhere', reason: 'assignment-gap' });
    session.close('leaving');
  }
  t.true(['ended', 'UNAVAILABLE'].includes(await ended.promise));
  const second = connectAgent(server.address, nodeIdentity);
  const other = second.session();
  other.send({ kind: 'assignment-gap' });
  const error = await t.throwsAsync(async () => {
    for await (const message of other.receive()) {
      t.is(message.kind, 'go-elsewhere');
      void server.close();
    }
  });
  t.like(error, { code: 'UNAVAILABLE' });
  first.close();
  second.close();
});

test('a tunnel carries frames both ways; a reader that stops reading stops the writer', async t => {
  const go = Promise.withResolvers<undefined>();
  let sent = 0;
  const chunk: TunnelFrame = { kind: 'data', stream: 'stdout', bytes: new Uint8Array(65_536) };
  const total = 400;
  await authority.withControl(t, {
    async tunnel(request, tunnel) {
      t.deepEqual(request, REQUEST);
      const first = await tunnel.frames[Symbol.asyncIterator]().next();
      t.deepEqual(first.value as unknown, { kind: 'signal', signal: 'INT' });
      for (; sent < total; sent += 1) {
        await tunnel.send(chunk);
        if (sent === 2) {
          go.resolve(undefined);
        }
      }
      await tunnel.send({ kind: 'exit', code: 7 });
    },
  }, async client => {
    const tunnel = client.openTunnel(REQUEST, new AbortController().signal);
    await tunnel.send({ kind: 'signal', signal: 'INT' });
    await go.promise;
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise(resolve => { setTimeout(resolve, 100); });
    }
    t.true(sent < total / 2, `${String(sent)} frames were taken without a reader`);
    let bytes = 0;
    let last: TunnelFrame | undefined;
    for await (const frame of tunnel.frames) {
      bytes += frame.kind === 'data' ? frame.bytes.length : 0;
      last = frame;
    }
    t.is(bytes, total * 65_536);
    t.deepEqual(last, { kind: 'exit', code: 7 });
    tunnel.close();
    tunnel.close();
  });
});

test('a frame above 64 KiB is refused; a tunnel whose handler throws ends with its error; closing ends the handler\'s frames', async t => {
  const ended = Promise.withResolvers<undefined>();
  let calls = 0;
  await authority.withControl(t, {
    async tunnel(_request, tunnel) {
      calls += 1;
      if (calls === 1) {
        throw new ClusterError('NOT_FOUND', 'task abcdefghijkl is not there');
      }
      for await (const frame of tunnel.frames) {
        t.is(frame.kind, 'eof');
      }
      ended.resolve(undefined);
    },
  }, async client => {
    const refused = client.openTunnel(REQUEST, new AbortController().signal);
    const error = await t.throwsAsync(async () => { for await (const frame of refused.frames) { t.fail(frame.kind); } });
    t.like(error, { code: 'NOT_FOUND', message: 'task abcdefghijkl is not there' });
    const open = client.openTunnel(REQUEST, new AbortController().signal);
    t.like(await t.throwsAsync(open.send({ kind: 'data', stream: 'stdin', bytes: new Uint8Array(65_537) })), { code: 'INVALID_ARGUMENT' });
    await open.send({ kind: 'eof' });
    open.close();
    await ended.promise;
    await t.throwsAsync(open.send({ kind: 'eof' }));
  });
});

test('an agent serves a tunnel, a controller relays one, and both reach their handlers', async t => {
  const seen: unknown[] = [];
  const told: unknown[] = [];
  const server = await authority.serve(t, [
    agentService(agentHandlers({
      async tunnel(tunnelId, tunnel, peer) {
        seen.push([tunnelId, peer.name]);
        await tunnel.send({ kind: 'eof' });
      },
      renew: (csrPem, peer) => Promise.resolve({ certificatePem: csrPem + peer.name, caPem: 'ca' }),
    }), { log }),
    peerService({
      async relay(request, tunnel, peer) {
        seen.push([request, peer.name]);
        await tunnel.send({ kind: 'exit', code: 0 });
      },
      awaitEndpoints: (generation, timeoutMs) => Promise.resolve({ isReached: generation < timeoutMs }),
      hearsNode: node => Promise.resolve({ isHeard: node === 'n1' }),
    }, { log, onCall: ({ rpc, caller, request, isBegun }) => { if (rpc === 'PeerApi.Relay') told.push([caller, request, isBegun]); } }),
  ]);
  const agent = connectAgent(server.address, nodeIdentity);
  const peer = connectPeer(server.address, await authority.identity('controller', 'c2'));
  const frames = async (tunnel: Tunnel): Promise<readonly TunnelFrame[]> => {
    const all: TunnelFrame[] = [];
    for await (const frame of tunnel.frames) {
      all.push(frame);
    }
    return all;
  };
  const { signal } = new AbortController();
  t.deepEqual(await frames(agent.serveTunnel('t1', signal)), [{ kind: 'eof' }]);
  t.deepEqual(await frames(peer.relay(REQUEST, signal)), [{ kind: 'exit', code: 0 }]);
  t.deepEqual(seen, [['t1', 'n1'], [REQUEST, 'c2']]);
  t.deepEqual(told[0], ['controller c2', REQUEST, true], 'what a relayed tunnel is for is known to who keeps account');
  t.deepEqual(await agent.renew('csr-'), { certificatePem: 'csr-n1', caPem: 'ca' });
  t.deepEqual(await peer.awaitEndpoints(5, 10), { isReached: true });
  t.deepEqual(await peer.hearsNode(parseNodeId('n1'), 1_000), { isHeard: true });
  agent.close();
  peer.close();
});

test('joining needs no certificate, only a server of the token\'s cluster', async t => {
  const { csrPem } = await createSigningRequest();
  const server = await authority.serve(t, [joinService({
    join: (request, remoteAddress) => Promise.resolve({ certificatePem: request.csrPem, caPem: remoteAddress, controllers: [request.token, request.nodeName] }),
    renewExpired: (request, remoteAddress) => Promise.resolve({ certificatePem: request.certificatePem, caPem: remoteAddress }),
  }, { log })], { clients: 'anyone' });
  const join = (caSha256: string): ReturnType<typeof joinCluster> => joinCluster({ address: server.address, token: 'tok', caSha256, nodeName: 'n9', csrPem });
  t.deepEqual(await join(certificateSha256(authority.keys.certificatePem)), { certificatePem: csrPem, caPem: '127.0.0.1', controllers: ['tok', 'n9'] });
  const expired = { address: server.address, caPem: authority.keys.certificatePem, certificatePem: 'old', csrPem };
  t.deepEqual(await renewExpired(expired, AbortSignal.timeout(10_000)), { certificatePem: 'old', caPem: '127.0.0.1' });
  t.like(await t.throwsAsync(join('0'.repeat(64)), { message: /not of the cluster that the join token names/ }), { code: 'UNAVAILABLE' });
});

test('a renewed certificate is shown to new connections', async t => {
  const server = await authority.serve(t, [controlService(controlHandlers({ clusterStatus: () => Promise.resolve(STATUS) }), { log })]);
  const other = await authority.identity('controller', 'c9');
  server.updateIdentity(other);
  const socket = connect({ ...secureContextOptions(operator), port: server.port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  await once(socket, 'secureConnect');
  t.regex(socket.getPeerCertificate().subjectaltname ?? '', /controller\/c9/);
  socket.destroy();
});
