import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { PublishedPort } from '#model/service.ts';
import { readListeningPorts, takenHostPort } from '../../../../agent/network/host-ports-fs.ts';

async function listening(t: ExecutionContext, host: string): Promise<number> {
  const server = createServer().listen(0, host);
  t.teardown(() => { server.close(); });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const published = (port: number): PublishedPort => ({ published: port, target: 80, protocol: 'tcp', mode: 'host', allowFrom: [] });

test('a process that listens on any address is read, and named where a task wants its port', async t => {
  const [open, dual, local] = await Promise.all(['0.0.0.0', '::', '127.0.0.1'].map(host => listening(t, host)));
  const found = await readListeningPorts(new Set());
  t.deepEqual([open, dual, local].map(port => found.includes(`tcp/${String(port)}`)), [true, true, false]);
  t.is(await takenHostPort([published(open ?? 0)]), `host port ${String(open)}/tcp is in use by another process (MainThread, pid ${String(process.pid)})`);
  t.is(await takenHostPort([published(local ?? 0)]), undefined);
  t.false((await readListeningPorts(new Set([`tcp/${String(open)}`]))).includes(`tcp/${String(open)}`));
});

test('a UDP port that the kernel chose is a client\'s', async t => {
  const socket = createSocket('udp4').bind(0);
  t.teardown(() => { socket.close(); });
  await once(socket, 'listening');
  t.false((await readListeningPorts(new Set())).includes(`udp/${String(socket.address().port)}`));
});
