import type { Duplex } from 'node:stream';
import type { Tunnel } from '#model/tunnel.ts';
import { sendBytes } from './process-flow.ts';

/** Joins a tunnel with a connection until both directions ended or one side is gone. */
export async function joinConnection(tunnel: Tunnel, connection: Duplex, signal: AbortSignal): Promise<void> {
  const onAbort = (): void => { connection.destroy(); };
  signal.addEventListener('abort', onAbort, { once: true });
  const input = feed(tunnel, connection).finally(() => { connection.destroy(); });
  input.catch(() => { /* its end destroyed the connection, which the output shows */ });
  try {
    for await (const bytes of connection as AsyncIterable<Buffer>) {
      await sendBytes(tunnel, 'stdout', bytes);
    }
    await tunnel.send({ kind: 'eof' });
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
