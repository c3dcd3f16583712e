import { once } from 'node:events';
import { connect } from 'node:tls';
import test from 'ava';
import { createControlClient } from '#rpc/control-client.ts';
import { controlService } from '#rpc/control-server.ts';
import { secureContextOptions } from '#rpc/tls-fs.ts';
import { oddIdentities } from '../support/odd-identities.ts';
import { rawStatus } from '../support/raw-call.ts';
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

test('an operator has at most 100 calls open on a connection', async t => {
  const release = Promise.withResolvers<typeof STATUS>();
  await authority.withControl(t, { clusterStatus: () => release.promise }, async client => {
    const calls = Array.from({ length: 101 }, () => client.clusterStatus());
    const refused = await t.throwsAsync(Promise.all(calls), { message: /100 calls are open/ });
    t.like(refused, { code: 'RESOURCE_EXHAUSTED' });
    release.resolve(STATUS);
    await Promise.allSettled(calls);
  });
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
