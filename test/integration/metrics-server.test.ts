import { connect } from 'node:tls';
import { request } from 'node:https';
import { once } from 'node:events';
import test from 'ava';
import { Registry } from 'prom-client';
import { IdentityHolder } from '#rpc/identity-holder.ts';
import { secureContextOptions } from '#rpc/tls-fs.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { serveMetrics } from '../../agent/metrics-server.ts';
import { MetricsServer } from '../../controller/metrics-server.ts';
import { eventually } from '../support/dev-cluster.ts';
import { freePort } from '../support/free-port.ts';
import { TestAuthority } from '../support/rpc-cluster.ts';

type Serve = (listen: string, holder: IdentityHolder, signal: AbortSignal) => Promise<void>;

const servers: readonly (readonly [string, Serve])[] = [
  ['agent', async (listen, identity, signal) => { await serveMetrics(new Registry(), { listen, identity }, signal); }],
  ['controller', async (listen, holder, signal) => {
    const server = new MetricsServer({
      listen, identity: holder.current, metrics: () => Promise.resolve({ contentType: 'text/plain', body: '' }), targets: () => [], problem: () => '',
    });
    holder.onRenewed(renewed => { server.useIdentity(renewed); });
    await server.run(signal).catch(() => { /* its signal aborted */ });
  }],
];

/** Fingerprint of the certificate that the server shows to `client`. */
async function shownTo(port: number, client: TlsIdentity): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ...secureContextOptions(client), checkServerIdentity: () => undefined });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

async function statusFor(port: number, client: TlsIdentity, method = 'GET'): Promise<number> {
  return await new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/metrics', method, agent: false, ...secureContextOptions(client), checkServerIdentity: () => undefined }, response => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', reject).end();
  });
}

for (const [name, serve] of servers) {
  test(`${name}: /metrics is for the cluster's certificates only, and a renewed certificate is shown from then on`, async t => {
    const authority = await TestAuthority.create();
    const holder = new IdentityHolder(await authority.identity('node', 'n1'));
    const client = await authority.identity('monitor', 'prometheus');
    const port = await freePort();
    const ending = new AbortController();
    const running = serve(`127.0.0.1:${String(port)}`, holder, ending.signal);
    const before = await eventually('the server', 60_000, async () => await shownTo(port, client));
    t.is(await statusFor(port, client), 200);
    t.is(await statusFor(port, client, 'HEAD'), 200);
    for (const method of ['POST', 'PUT', 'DELETE']) t.is(await statusFor(port, client, method), 405, method);
    await t.throwsAsync(statusFor(port, { caPem: client.caPem }), undefined, 'no certificate');
    const strange = await (await TestAuthority.create()).identity('monitor', 'prometheus');
    await t.throwsAsync(statusFor(port, { ...strange, caPem: client.caPem }), undefined, 'a certificate of another CA');
    holder.renew(await authority.identity('node', 'n1'));
    t.not(await shownTo(port, client), before);
    ending.abort(new Error('the test ends'));
    await running;
  });
}
