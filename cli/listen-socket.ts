/** Ports of this machine that `port-forward` listens on. */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
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

/**
 * Connections come half open: each side ends for itself. Disposing ends the listening and every connection of it.
 *
 * @param port  0: a free one
 * @throws ClusterError FAILED_PRECONDITION when the port is not to be had
 */
export async function listen(address: string, port: number, onConnection: (connection: Socket) => void): Promise<Listener> {
  const connections = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, connection => {
    connections.add(connection);
    connection.on('error', () => { /* reset by the program at its other end: reading ends, which the flow sees */ }).once('close', () => { connections.delete(connection); });
    onConnection(connection);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new ClusterError('FAILED_PRECONDITION', `cannot listen on ${formatEndpoint(address, port)}: ${REASONS[error.code ?? ''] ?? error.message}`, { cause: error }));
    });
    server.listen({ host: address, port }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]: () => {
      server.close();
      connections.forEach(connection => { connection.destroy(); });
    },
  };
}
