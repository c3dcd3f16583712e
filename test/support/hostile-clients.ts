/** Clients that hold as much of a controller as they can. */
import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { secureContextOptions } from '#rpc/tls-fs.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { untilAborted } from './neighbour-load.ts';
import { rawCall } from './raw-call.ts';

export interface HostileTarget {
  readonly host: string;
  readonly port: number;
  /** A certificate that the controller accepts. */
  readonly identity: TlsIdentity;
  /** One that it does not. */
  readonly stranger: TlsIdentity;
}

const SILENT = 300;
const WATCHING_CONNECTIONS = 8;
const WATCHES_OF_ONE = 40;
/** Between two refused handshakes of a lane: the client's own half of the cryptography is not what is attacked. */
const PAUSE_MS = 20;
const EMPTY_FILTER = Buffer.from([0x0a, 0x00]);

/** Opens sockets without a handshake, repeats handshakes that are refused, and reads none of its watches, until the signal aborts. */
export async function hostileClients(target: HostileTarget, signal: AbortSignal): Promise<void> {
  await Promise.all([silentSockets(target, signal), unreadWatches(target, signal), refusedHandshakes(target, signal), refusedHandshakes(target, signal)]);
}

async function silentSockets({ host, port }: HostileTarget, signal: AbortSignal): Promise<void> {
  const sockets = Array.from({ length: SILENT }, () => connectTcp({ host, port }).on('error', () => undefined));
  await untilAborted(signal);
  sockets.forEach(socket => { socket.destroy(); });
}

async function unreadWatches({ host, port, identity }: HostileTarget, signal: AbortSignal): Promise<void> {
  const address = `${host}:${String(port)}`;
  const calls = Array.from({ length: WATCHING_CONNECTIONS }, () => {
    const first = rawCall(address, identity, 'ControlApi/Watch', EMPTY_FILTER);
    first.session.on('error', () => undefined);
    for (let more = 1; more < WATCHES_OF_ONE; more += 1) {
      const stream = first.session.request({ ':method': 'POST', ':path': '/gantry.v1.ControlApi/Watch', 'content-type': 'application/grpc', 'te': 'trailers' });
      stream.on('error', () => undefined);
      stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, EMPTY_FILTER.length]), EMPTY_FILTER]));
    }
    return first;
  });
  await untilAborted(signal);
  calls.forEach(call => { call.session.destroy(); });
}

async function refusedHandshakes({ host, port, stranger }: HostileTarget, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const socket = connect({ ...secureContextOptions(stranger), host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    // Not `once`, which an error rejects: a refused handshake ends with one.
    await new Promise(resolve => { socket.on('error', () => undefined).on('close', resolve); });
    await sleep(PAUSE_MS);
  }
}
