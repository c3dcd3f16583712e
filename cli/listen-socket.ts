/** Ports of this machine that `port-forward` listens on. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { ClusterError } from '#model/errors.ts';
import { formatEndpoint } from './forwarded-ports.ts';

export interface Listener extends Disposable {
  /** The one that was given, or the free one that the kernel chose. */
  readonly port: number;
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use; choose another one, or :REMOTE for a free one', EACCES: 'the port needs root; choose one above 1023, or :REMOTE for a free one',
  EADDRNOTAVAIL: 'this machine does not have the address',
};

/** Reaches a port of this machine as its users will. */
export type Dial = (address: string, port: number) => Socket;

const dialPort: Dial = (address, port) => connect({ host: address, port });

/** Longest that a connection within this machine may take to come. */
const PROBE_LIMIT_MS = 5_000;
const ANY_ADDRESS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/**
 * Connections come half open: each side ends for itself. Disposing ends the listening and every connection of it.
 *
 * A port may be free and yet lead elsewhere: one that a cluster of this machine has published is translated before any socket is looked
 * for. So one connection is made first, and must come here.
 *
 * @param port  0: a free one
 * @throws ClusterError FAILED_PRECONDITION when the port is not to be had, or leads elsewhere
 */
export async function listen(address: string, port: number, onConnection: (connection: Socket) => void, dial: Dial = dialPort): Promise<Listener> {
  const connections = new Set<Socket>();
  let take = (connection: Socket): void => { early.push(connection); };
  const early: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, connection => {
    connections.add(connection);
    connection.on('error', () => { /* reset by the program at its other end: reading ends, which the flow sees */ }).once('close', () => { connections.delete(connection); });
    take(connection);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new ClusterError('FAILED_PRECONDITION', `cannot listen on ${formatEndpoint(address, port)}: ${REASONS[error.code ?? ''] ?? error.message}`, { cause: error }));
    });
    server.listen({ host: address, port }, resolve);
  });
  const listener: Listener = {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]: () => {
      server.close();
      connections.forEach(connection => { connection.destroy(); });
    },
  };
  const own = await probe(server, early, dial(ANY_ADDRESS[address] ?? address, listener.port));
  if (own === undefined) {
    listener[Symbol.dispose]();
    throw new ClusterError('FAILED_PRECONDITION', `cannot listen on ${formatEndpoint(address, listener.port)}: the port leads elsewhere, as one does that a cluster on this machine has published; choose another one, or :REMOTE for a free one`);
  }
  own.destroy();
  take = onConnection;
  early.filter(connection => connection !== own).forEach(onConnection);
  return listener;
}

/** The server's end of the connection; undefined when it came to somebody else, or nowhere. */
async function probe(server: Server, arrived: readonly Socket[], connection: Socket): Promise<Socket | undefined> {
  const end = new AbortController();
  const signal = AbortSignal.any([end.signal, AbortSignal.timeout(PROBE_LIMIT_MS)]);
  try {
    await once(connection, 'connect', { signal });
    const own = (): Socket | undefined => arrived.find(({ remotePort }) => remotePort === connection.localPort);
    while (own() === undefined) {
      await once(server, 'connection', { signal });
    }
    return own();
  } catch {
    // Refused, or nothing came in time: whoever has the port, it is not this server.
    return undefined;
  } finally {
    end.abort();
    connection.on('error', () => { /* it is over */ }).destroy();
  }
}
