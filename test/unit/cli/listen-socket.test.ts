import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import test from 'ava';
import { listen } from '../../../cli/listen-socket.ts';

const LOOPBACK = '127.0.0.1';

test('a port of this machine is listened on, and the connection that tried it is not handed out', async t => {
  const taken: Socket[] = [];
  const arrived = Promise.withResolvers<undefined>();
  using listener = await listen(LOOPBACK, 0, connection => { taken.push(connection); arrived.resolve(undefined); });
  t.deepEqual(taken, []);
  const client = connect({ host: LOOPBACK, port: listener.port });
  await arrived.promise;
  t.deepEqual(taken.map(({ remotePort }) => remotePort), [client.localPort]);
  client.destroy();
});

test('a port whose connections come to somebody else is refused', async t => {
  const other = createServer(connection => { connection.on('error', () => undefined); }).listen(0, LOOPBACK);
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  await t.throwsAsync(listen(LOOPBACK, 0, () => undefined, () => connect({ host: LOOPBACK, port })), { code: 'FAILED_PRECONDITION', message: /leads elsewhere.*published; choose another one/ });
  other.close();
});

test('and so is one whose connections come nowhere', async t => {
  const gone = createServer().listen(0, LOOPBACK);
  await once(gone, 'listening');
  const { port } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, 'close');
  await t.throwsAsync(listen(LOOPBACK, 0, () => undefined, () => connect({ host: LOOPBACK, port })), { code: 'FAILED_PRECONDITION', message: /leads elsewhere/ });
});

test('an address of every interface is tried on loopback', async t => {
  using listener = await listen('0.0.0.0', 0, () => undefined);
  t.true(listener.port > 0);
});
