import { createServer } from 'node:tls';
import type { DetailedPeerCertificate, Server as TlsServer, TLSSocket } from 'node:tls';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Logger } from '#kit/logger.ts';
import { ClusterError } from '#model/errors.ts';
import type { RpcService } from './service-builder.ts';
import { secureContextOptions } from './tls-fs.ts';
import type { TlsIdentity } from './tls-fs.ts';

const HANDSHAKE_TIMEOUT_MS = 10_000;
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Of one connection: an agent has its session and a stream for each tunnel. Operators: see ServiceBuilder. */
const MAX_STREAMS = 1_000;
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
}

export interface RpcServer {
  readonly port: number;
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
  const rpc = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': MAX_STREAMS,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
  });
  for (const service of options.services) {
    rpc.addService(service.definition, service.implementation);
  }
  const injector = rpc.createConnectionInjector(ServerCredentials.createInsecure());
  const isMutual = options.clients === 'certified';
  const listener = createServer({
    ...secureContextOptions(options.identity),
    requestCert: isMutual,
    rejectUnauthorized: isMutual,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    ALPNProtocols: ['h2'],
  });
  listener.on('secureConnection', socket => {
    keepPeerCertificate(socket);
    injector.injectConnection(socket);
  });
  listener.on('tlsClientError', (error, socket) => { logRefusal(options.log, error, socket); });
  await listen(listener, options);
  const address = listener.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    updateIdentity: identity => { listener.setSecureContext(secureContextOptions(identity)); },
    async close() {
      listener.close();
      injector.drain(CLOSE_GRACE_MS);
      await new Promise<void>(resolve => {
        const timer = setTimeout(() => { rpc.forceShutdown(); resolve(); }, CLOSE_GRACE_MS);
        rpc.tryShutdown(() => { clearTimeout(timer); resolve(); });
      });
    },
  };
}

/**
 * Decodes it once, and keeps what is asked of it: gRPC wants it at each call, and a connection has no other one later.
 * Source: RFC 8446, 4.6.2: only a client that offered it is asked again
 */
function keepPeerCertificate(socket: TLSSocket): void {
  const { raw, subjectaltname, valid_from } = socket.getPeerCertificate();
  const kept = { raw, subjectaltname, valid_from } as DetailedPeerCertificate;
  socket.getPeerCertificate = () => kept;
}

async function listen(listener: TlsServer, { host, port }: RpcServerOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    listener.once('error', (cause: Error) => { reject(new ClusterError('UNAVAILABLE', `cannot listen on ${host}:${String(port)}: ${cause.message}`, { cause })); });
    listener.listen(port, host, resolve);
  });
}

/** A certificate that does not verify only makes Node hang up; the socket keeps why. Source: Node.js tls, `tlsSocket.authorizationError`. */
function logRefusal(log: Logger, error: Error, socket: Partial<TLSSocket>): void {
  const reason = socket.authorizationError?.toString() ?? error.message.trim();
  log.warn({ address: socket.remoteAddress, reason }, 'handshake refused');
}
