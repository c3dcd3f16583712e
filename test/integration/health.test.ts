import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import test from 'ava';
import { probeGrpc, probeHttp, probeTcp } from '../../agent/health/probe-client.ts';

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

/** Serves Check, whose message has one string; SERVING for no name and `up`. */
async function serveHealth(answer: (service: string) => number | undefined): Promise<{ readonly server: Server; readonly port: number }> {
  const server = new Server();
  const asIs = (bytes: Buffer): Buffer => bytes;
  const definition = {
    check: { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false, requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs },
  };
  server.addService(definition, {
    check: ({ request }: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>) => {
      // Field 1 of type bytes: its tag, its length, the text.
      const serving = answer(request.subarray(2).toString());
      respond(serving === undefined ? { code: status.NOT_FOUND } : null, Buffer.from([0x08, serving ?? 0]));
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => { if (error === null) { resolve(bound); } else { reject(error); } });
  });
  return { server, port };
}

test('gRPC probes of real servers (needs loopback)', async t => {
  const known: Readonly<Record<string, number>> = { '': 1, up: 1, down: 2, odd: 77 };
  const { server, port } = await serveHealth(service => known[service]);
  const probe = async (service: string) => await probeGrpc('127.0.0.1', { port, service }, AbortSignal.timeout(30_000));
  t.deepEqual(await probe(''), { isSuccess: true });
  t.deepEqual(await probe('up'), { isSuccess: true });
  t.deepEqual(await probe('down'), { isSuccess: false, message: `grpc ${String(port)} down: NOT_SERVING` });
  t.deepEqual(await probe('odd'), { isSuccess: false, message: `grpc ${String(port)} odd: UNKNOWN` });
  t.deepEqual(await probe('other'), { isSuccess: false, message: `grpc ${String(port)} other: knows no service other` });
  server.forceShutdown();
  t.deepEqual(await probe('up'), { isSuccess: false, message: `grpc ${String(port)} up: ECONNREFUSED` });
});

test('a gRPC probe of a server without a health service says so (needs loopback)', async t => {
  const bare = new Server();
  const port = await new Promise<number>((resolve, reject) => {
    bare.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => { if (error === null) { resolve(bound); } else { reject(error); } });
  });
  t.deepEqual(await probeGrpc('127.0.0.1', { port, service: '' }, AbortSignal.timeout(30_000)), { isSuccess: false, message: `grpc ${String(port)}: does not serve grpc.health.v1.Health` });
  bare.forceShutdown();
});

/** What answers each connection with `words`, and whether the connections that came are closed again. */
async function startTalker(words: string): Promise<{ readonly port: number; allClosed(): Promise<void> }> {
  const closed: Promise<void>[] = [];
  const server = createTcpServer(socket => {
    closed.push(new Promise(resolve => { socket.once('close', () => { resolve(); }); }));
    socket.on('error', () => { /* cut off by the other side */ });
    socket.resume();
    socket.end(words);
  });
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve); });
  return {
    port: (server.address() as AddressInfo).port,
    async allClosed() {
      await Promise.all(closed);
      await new Promise(resolve => { server.close(resolve); });
    },
  };
}

test('a gRPC probe of what speaks something else says so, and keeps no connection (needs loopback)', async t => {
  const talker = await startTalker('HTTP/1.1 400 Bad Request\r\n\r\n');
  t.deepEqual(await probeGrpc('127.0.0.1', { port: talker.port, service: '' }, AbortSignal.timeout(30_000)), { isSuccess: false, message: `grpc ${String(talker.port)}: speaks no HTTP/2` });
  await talker.allClosed();
});

test('an aborted gRPC probe ends with its connection (needs loopback)', async t => {
  const closed = Promise.withResolvers<undefined>();
  const mute = createTcpServer(socket => {
    socket.once('close', () => { closed.resolve(undefined); });
    socket.on('error', () => { /* cut off by the other side */ });
    socket.resume();
  });
  await new Promise<void>(resolve => { mute.listen(0, '127.0.0.1', resolve); });
  const { port } = mute.address() as AddressInfo;
  t.like(await probeGrpc('127.0.0.1', { port, service: '' }, AbortSignal.timeout(200)), { isSuccess: false });
  await closed.promise;
  await new Promise(resolve => { mute.close(resolve); });
});
