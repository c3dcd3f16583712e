import type { Socket } from 'node:net';
import { createServer } from 'node:tls';
import type { DetailedPeerCertificate, Server as TlsServer, TLSSocket } from 'node:tls';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { systemClock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { ClusterError } from '#model/errors.ts';
import { parseSubjectAltName } from '#model/peer-name.ts';
import { CONNECTION_LIMITS, ConnectionBounds } from './connection-bounds.ts';
import type { ConnectionLimits } from './connection-bounds.ts';
import { RefusalLog } from './refusal-log.ts';
import type { RpcService } from './service-builder.ts';
import { secureContextOptions } from './tls-fs.ts';
import type { TlsIdentity } from './tls-fs.ts';

const HANDSHAKE_TIMEOUT_MS = 10_000;
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Of one connection (reliability 10). One of an agent or of a controller carries the tunnels of many operators. */
const MAX_STREAMS = 100;
const MAX_CARRIED_STREAMS = 1_000;
const KEEPALIVE_MS = 5_000;
const CLOSE_GRACE_MS = 2_000;

export interface RpcServerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly identity: TlsIdentity;
  /** `certified`: the handshake fails without a certificate of our CA. `anyone`: for Join, on a port of its own. */
  readonly clients: 'certified' | 'anyone';
  readonly services: readonly RpcService[];
  readonly log: Logger;
  /** Default 10 s. */
  readonly handshakeTimeoutMs?: number;
  readonly limits?: ConnectionLimits;
}

export interface RpcServer {
  readonly port: number;
  /** Handshakes under way, and connections after theirs. */
  readonly held: () => ConnectionBounds['held'];
  /** New connections get the renewed certificate; open ones stay. */
  updateIdentity(identity: TlsIdentity): void;
  /** Lets calls end for 2 s, then cuts them. */
  close(): Promise<void>;
}

/**
 * One listener: TLS 1.3, mutual unless it is for Join.
 *
 * TLS is terminated here and not by gRPC, so that refused handshakes are logged with their reason and certificates can
 * be renewed in place.
 * @throws ClusterError UNAVAILABLE when the address is taken
 */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const entrances = [grpcEntrance(options, MAX_STREAMS), grpcEntrance(options, MAX_CARRIED_STREAMS)] as const;
  const [ofOperators, ofCarriers] = entrances;
  const isMutual = options.clients === 'certified';
  const listener = createServer({
    ...secureContextOptions(options.identity),
    requestCert: isMutual,
    rejectUnauthorized: isMutual,
    handshakeTimeout: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
    ALPNProtocols: ['h2'],
  });
  const bounds = new ConnectionBounds(options.limits ?? CONNECTION_LIMITS);
  const refusals = new RefusalLog(options.log, systemClock);
  boundHandshakes(listener, bounds, refusals);
  listener.on('secureConnection', socket => {
    keepPeerCertificate(socket);
    const peer = parseSubjectAltName(socket.getPeerCertificate().subjectaltname ?? '');
    const ended = bounds.open(peer === undefined ? socket.remoteAddress ?? '' : `${peer.role} ${peer.name}`, socket);
    if (ended === undefined) {
      refusals.add(socket.remoteAddress ?? '', 'it has too many connections');
      socket.destroy();
      return;
    }
    socket.once('close', ended);
    (peer?.role === 'node' || peer?.role === 'controller' ? ofCarriers : ofOperators).inject(socket);
  });
  listener.on('tlsClientError', (error, socket) => {
    refusals.add(socket.remoteAddress ?? '', reasonOf(error, socket));
    // After a time-out Node leaves the connection open; other failures it ends itself, once it sent why. Source: Node.js, lib/_tls_wrap.js
    if ((error as NodeJS.ErrnoException).code === 'ERR_TLS_HANDSHAKE_TIMEOUT') socket.destroy();
  });
  await listen(listener, options);
  const address = listener.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    held: () => bounds.held,
    updateIdentity: identity => { listener.setSecureContext(secureContextOptions(identity)); },
    async close() {
      listener.close();
      refusals.flush();
      await Promise.all(entrances.map(async entrance => { await entrance.close(); }));
    },
  };
}

interface Entrance {
  readonly inject: (socket: TLSSocket) => void;
  readonly close: () => Promise<void>;
}

/** gRPC over connections that are given to it. */
function grpcEntrance({ services }: RpcServerOptions, maxStreams: number): Entrance {
  const rpc = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': maxStreams,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
  });
  for (const service of services) {
    rpc.addService(service.definition, service.implementation);
  }
  const injector = rpc.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    inject: socket => { injector.injectConnection(socket); },
    async close() {
      injector.drain(CLOSE_GRACE_MS);
      await new Promise<void>(resolve => {
        const timer = setTimeout(() => { rpc.forceShutdown(); resolve(); }, CLOSE_GRACE_MS);
        rpc.tryShutdown(() => { clearTimeout(timer); resolve(); });
      });
    },
  };
}

/** Counts connections from their first packet on. The TLS socket of one has the same remote address and port. */
function boundHandshakes(listener: TlsServer, bounds: ConnectionBounds, refusals: RefusalLog): void {
  const ends = new Map<string, () => void>();
  const nameOf = ({ remoteAddress = '', remotePort = 0 }: Socket): string => `${remoteAddress} ${String(remotePort)}`;
  listener.on('connection', (socket: Socket) => {
    const name = nameOf(socket);
    const end = bounds.beginHandshake(socket.remoteAddress ?? '', socket);
    if (end === undefined) {
      refusals.add(socket.remoteAddress ?? '', 'it has too many handshakes under way');
      socket.destroy();
      return;
    }
    ends.set(name, end);
    socket.once('close', () => { end(); ends.delete(name); });
  });
  listener.on('secureConnection', socket => { ends.get(nameOf(socket))?.(); });
}

/**
 * Decodes it once, and keeps what is asked of it: gRPC wants it at each call, and a connection has no other one later.
 * Source: RFC 8446, 4.6.2: only a client that offered it is asked again
 */
function keepPeerCertificate(socket: TLSSocket): void {
  const { raw, subjectaltname, valid_from, valid_to } = socket.getPeerCertificate();
  const kept = { raw, subjectaltname, valid_from, valid_to } as DetailedPeerCertificate;
  socket.getPeerCertificate = () => kept;
}

async function listen(listener: TlsServer, { host, port }: RpcServerOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    listener.once('error', (cause: Error) => { reject(new ClusterError('UNAVAILABLE', `cannot listen on ${host}:${String(port)}: ${cause.message}`, { cause })); });
    listener.listen(port, host, resolve);
  });
}

/** A certificate that does not verify only makes Node hang up; the socket keeps why. Source: Node.js tls, `tlsSocket.authorizationError`. */
function reasonOf(error: Error, socket: Partial<TLSSocket>): string {
  return socket.authorizationError?.toString() ?? error.message.trim();
}
