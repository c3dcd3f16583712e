import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { joinConnection } from '../../../../agent/tunnel/forward-flow.ts';
import { joinConnection as joinLocal } from '../../../../cli/commands/port-forward-flow.ts';
import { eventually } from '../../../support/dev-cluster.ts';
import { tunnelPair } from '../../../support/tunnel-pair.ts';

const NEVER = new AbortController().signal;

/** Both ends of a connection of its own. */
async function socketPair(t: ExecutionContext): Promise<readonly [Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, allowHalfOpen: true });
  const [accepted] = await once(server, 'connection') as [Socket];
  server.close();
  for (const socket of [client, accepted]) {
    socket.on('error', () => undefined);
    t.teardown(() => { socket.destroy(); });
  }
  return [client, accepted];
}

/** A program at this end, and the container's program, with all of a forward between them. */
async function setUp(t: ExecutionContext): Promise<{ readonly client: Socket; readonly server: Socket; readonly agent: Promise<string>; readonly cli: Promise<string> }> {
  const [client, local] = await socketPair(t);
  const [dialled, server] = await socketPair(t);
  const [near, far] = tunnelPair();
  const outcome = async (work: Promise<void>): Promise<string> => await work.then(() => 'ended', (error: unknown) => String(error));
  const agent = outcome(joinConnection(far, dialled, NEVER)).finally(() => { far.close(); });
  return { client, server, agent, cli: outcome(joinLocal(local, near)) };
}

async function digest(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}

test('10 MB go through both ways at once, unharmed', async t => {
  const { client, server, agent, cli } = await setUp(t);
  const [up, down] = [randomBytes(10 << 20), randomBytes(10 << 20)];
  client.end(up);
  server.end(down);
  const sum = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  t.deepEqual(await Promise.all([digest(server), digest(client)]), [sum(up), sum(down)]);
  t.deepEqual(await Promise.all([agent, cli]), ['ended', 'ended']);
});

test('the container\'s program may end its direction first and still be told', async t => {
  const { client, server, agent, cli } = await setUp(t);
  server.end('all said');
  t.is(await digest(client), createHash('sha256').update('all said').digest('hex'));
  client.end('thanks');
  t.is(await digest(server), createHash('sha256').update('thanks').digest('hex'));
  t.deepEqual(await Promise.all([agent, cli]), ['ended', 'ended']);
});

test('a container\'s program that does not read holds its client back', async t => {
  const { client, server } = await setUp(t);
  server.pause();
  const piece = Buffer.alloc(1 << 20);
  const limitBytes = 256 << 20;
  let takenBytes = 0;
  let isHeld = false;
  while (!isHeld && takenBytes < limitBytes) {
    const taken = new Promise<boolean>(resolve => { client.write(piece, () => { resolve(true); }); });
    isHeld = !await Promise.race([taken, new Promise<boolean>(resolve => { setTimeout(() => { resolve(false); }, 1_000).unref(); })]);
    takenBytes += piece.length;
  }
  t.true(isHeld, `${String(takenBytes)} bytes were taken`);
  client.destroy();
});

test('a reset in the container ends it with the reason, and the client\'s end with it', async t => {
  const { client, server, agent, cli } = await setUp(t);
  client.write('x');
  await once(server, 'readable');
  server.resetAndDestroy();
  t.is(await agent, 'ClusterError: the task broke the connection off');
  t.is(await cli, 'ClusterError: the connection to the task broke off');
  await eventually('the client\'s end', 60_000, () => { client.resume(); return client.destroyed || client.readableEnded; });
});

test('a client that goes away takes the connection into the container with it', async t => {
  const { client, server, agent, cli } = await setUp(t);
  client.write('x');
  await once(server, 'readable');
  client.resetAndDestroy();
  server.resume();
  await eventually('the server\'s end', 60_000, () => server.destroyed || server.readableEnded);
  t.deepEqual(await Promise.all([agent, cli]), ['ended', 'ended']);
});
