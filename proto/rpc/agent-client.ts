import { createHash } from 'node:crypto';
import { connect } from 'node:tls';
import { splitAddress } from '#kit/address-parse.ts';
import { ClusterError } from '#model/errors.ts';
import type { RegistryLogin } from '#model/node-images.ts';
import type { AgentSessionEnd, IssuedCertificate } from '#model/ports.ts';
import type { Tunnel } from '#model/tunnel.ts';
import { AGENT } from './agent-methods.ts';
import { RpcChannel } from './rpc-channel.ts';
import type { CallOptions } from './rpc-channel.ts';
import { sessionEnd } from './session-end.ts';
import type { TlsIdentity } from './tls-fs.ts';
import { dialTunnel } from './tunnel-end.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** An agent's connection to one controller. A renewed certificate needs a new connection. */
export interface AgentConnection {
  /** One at a time. What goes wrong, also with the connection, is thrown by `receive`. */
  session(): AgentSessionEnd;
  serveTunnel(tunnelId: string, signal: AbortSignal): Tunnel;
  /** The login that the namespace's images are pulled with; undefined: none. */
  pullLogin(request: { readonly namespace: string; readonly registry: string }, options?: CallOptions): Promise<RegistryLogin | undefined>;
  renew(csrPem: string, options?: CallOptions): Promise<IssuedCertificate>;
  close(): void;
}

/** @param address  `host:port` of a controller; dialled by the first call */
export function connectAgent(address: string, identity: TlsIdentity): AgentConnection {
  const channel = new RpcChannel(address, identity);
  return {
    session: () => sessionEnd(channel.duplex(AGENT.session), false),
    serveTunnel: (tunnelId, signal) => dialTunnel(channel.duplex(AGENT.serveTunnel), tunnelId, signal),
    pullLogin: (request, options) => channel.unary(AGENT.pullLogin, request, options),
    renew: (csrPem, options) => channel.unary(AGENT.renew, { csrPem }, options),
    close: () => { channel.close(); },
  };
}

export interface JoinOptions {
  /** `host:port` of a controller's join listener. */
  readonly address: string;
  readonly token: string;
  /** SHA-256 of the cluster's CA certificate, from the token: the only one trusted. */
  readonly caSha256: string;
  readonly nodeName: string;
  readonly csrPem: string;
}

/** Becomes a node. @throws ClusterError as the controller says; UNAVAILABLE when the server is not of the token's cluster */
export async function joinCluster(options: JoinOptions, signal?: AbortSignal): Promise<IssuedCertificate & { readonly controllers: readonly string[] }> {
  const caPem = await fetchAuthority(options.address, options.caSha256);
  const channel = new RpcChannel(options.address, { caPem });
  try {
    const { token, nodeName, csrPem } = options;
    return await channel.unary(AGENT.join, { token, nodeName, csrPem }, signal === undefined ? {} : { signal });
  } finally {
    channel.close();
  }
}

export interface RenewExpiredOptions {
  /** `host:port` of a controller's join listener. */
  readonly address: string;
  readonly caPem: string;
  /** The one that has ended. */
  readonly certificatePem: string;
  /** Signed by the same key. */
  readonly csrPem: string;
}

/** A node whose certificate has ended gets another one. @throws ClusterError PERMISSION_DENIED for a node that was removed, and others as the controller says */
export async function renewExpired({ address, caPem, certificatePem, csrPem }: RenewExpiredOptions, signal: AbortSignal): Promise<IssuedCertificate> {
  const channel = new RpcChannel(address, { caPem });
  try {
    return await channel.unary(AGENT.renewExpired, { certificatePem, csrPem }, { timeoutMs: CONNECT_TIMEOUT_MS, signal });
  } finally {
    channel.close();
  }
}

/** The CA certificate that the server at `address` shows in its chain, provided that it is the one with this SHA-256. Nothing secret is sent. */
async function fetchAuthority(address: string, caSha256: string): Promise<string> {
  const { host, port } = splitAddress(address);
  // Not verified here: only the certificate with the token's hash is taken, and the call that follows verifies by it.
  const socket = connect({ host, port, rejectUnauthorized: false, minVersion: 'TLSv1.3', ALPNProtocols: ['h2'], timeout: CONNECT_TIMEOUT_MS });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', (cause: Error) => { reject(new ClusterError('UNAVAILABLE', `${address} cannot be reached: ${cause.message}`, { cause })); });
      socket.once('timeout', () => { reject(new ClusterError('UNAVAILABLE', `${address} does not answer`)); });
    });
    const authority = socket.getPeerX509Certificate()?.issuerCertificate;
    if (authority === undefined || createHash('sha256').update(authority.raw).digest('hex') !== caSha256) {
      throw new ClusterError('UNAVAILABLE', `${address} is not of the cluster that the join token names`);
    }
    return authority.toString();
  } finally {
    socket.destroy();
  }
}
