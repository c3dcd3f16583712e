import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { probeHttp, probeTcp } from '../../agent/health/probe-client.ts';

const never = new AbortController().signal;

test('tcp and http probes of real listeners (needs loopback)', async t => {
  const server = createServer((incoming, outgoing) => {
    outgoing.writeHead(incoming.url === '/ok' ? 204 : incoming.url === '/moved' ? 302 : 503);
    outgoing.end();
  });
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address() as AddressInfo;
  t.deepEqual(await probeTcp('127.0.0.1', port, never), { isSuccess: true });
  t.deepEqual(await probeHttp('127.0.0.1', { port, path: '/ok' }, never), { isSuccess: true });
  t.deepEqual(await probeHttp('127.0.0.1', { port, path: '/moved' }, never), { isSuccess: true });
  t.deepEqual(await probeHttp('127.0.0.1', { port, path: '/x' }, never), { isSuccess: false, message: `http ${String(port)}/x: status 503` });
  await new Promise(resolve => { server.close(resolve); });
  t.deepEqual(await probeTcp('127.0.0.1', port, never), { isSuccess: false, message: `tcp ${String(port)}: ECONNREFUSED` });
  t.deepEqual(await probeHttp('127.0.0.1', { port, path: '/ok' }, never), { isSuccess: false, message: `http ${String(port)}/ok: ECONNREFUSED` });
});

test('an aborted probe ends (needs loopback)', async t => {
  const server = createServer(() => { /* never answers */ });
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address() as AddressInfo;
  t.like(await probeHttp('127.0.0.1', { port, path: '/' }, AbortSignal.timeout(50)), { isSuccess: false });
  server.closeAllConnections();
  await new Promise(resolve => { server.close(resolve); });
});
