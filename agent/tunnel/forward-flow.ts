import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { ClusterError } from '#model/errors.ts';
import type { Tunnel } from '#model/tunnel.ts';
import { sendBytes } from './process-flow.ts';

/**
 * Joins a tunnel with a connection until both directions ended, each on its own, or one side is
 * gone.
 * @throws ClusterError UNAVAILABLE if the container reset the connection
 */
export async function joinConnection(tunnel: Tunnel, connection: Duplex, signal: AbortSignal): Promise<void> {
  const onAbort = (): void => { connection.destroy(); };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  const client = { isGone: false };
  const input = feed(tunnel, connection).finally(() => {
    client.isGone = true;
    connection.destroy();
  });
  input.catch(() => { /* its end destroyed the connection, which the output shows */ });
  try {
    for await (const bytes of connection.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      await sendBytes(tunnel, 'stdout', bytes);
    }
    await tunnel.send({ kind: 'eof' });
    if (!connection.closed) {
      await once(connection, 'close', { signal });
    }
  } catch (error) {
    if (!client.isGone) {
      throw new ClusterError('UNAVAILABLE', 'the task broke the connection off', { cause: error });
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    connection.destroy();
  }
}

async function feed(tunnel: Tunnel, connection: Duplex): Promise<void> {
  for await (const frame of tunnel.frames) {
    if (frame.kind === 'eof') {
      connection.end();
    } else if (frame.kind === 'data') {
      await new Promise<void>(resolve => { connection.write(frame.bytes, () => { resolve(); }); });
    }
  }
}
