import { ClusterError } from '#model/errors.ts';
import type { RegistryLogin } from '#model/node-images.ts';
import type { AgentSessionEnd, IssuedCertificate } from '#model/ports.ts';
import type { Tunnel } from '#model/tunnel.ts';
import { connectAgent, renewExpired } from '#rpc/agent-client.ts';
import type { AgentConnection } from '#rpc/agent-client.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import type { ControllerDialer } from './ports.ts';

/** One connection at a time, to the controller dialled last. Each dial uses the newest certificate. */
export class ControllerClient implements ControllerDialer {
  #identity: TlsIdentity;
  #connection: { readonly address: string; readonly channel: AgentConnection } | undefined;

  constructor(identity: TlsIdentity) {
    this.#identity = identity;
  }

  useIdentity(identity: TlsIdentity): void {
    this.#identity = identity;
  }

  dial(address: string, signal: AbortSignal): Promise<AgentSessionEnd> {
    this.#connection?.channel.close();
    const channel = connectAgent(address, this.#identity);
    this.#connection = { address, channel };
    signal.addEventListener('abort', () => { channel.close(); }, { once: true });
    return Promise.resolve(channel.session());
  }

  async renew(address: string, csrPem: string, signal: AbortSignal): Promise<IssuedCertificate> {
    return await this.#require(address).renew(csrPem, { signal });
  }

  async renewExpired(address: string, csrPem: string, signal: AbortSignal): Promise<IssuedCertificate> {
    const { caPem, pair } = this.#identity;
    return await renewExpired({ address, caPem, certificatePem: pair?.certificatePem ?? '', csrPem }, signal);
  }

  /** The namespace's login at a registry; undefined: none. @throws ClusterError UNAVAILABLE without a session */
  async pullLogin(address: string | undefined, request: { readonly namespace: string; readonly registry: string }): Promise<RegistryLogin | undefined> {
    if (address === undefined) {
      throw new ClusterError('UNAVAILABLE', `no controller can be asked for the login at ${request.registry}`);
    }
    return await this.#require(address).pullLogin(request);
  }

  /** Dials back for a tunnel, at the controller that asked for it. */
  tunnel(address: string, tunnelId: string, signal: AbortSignal): Tunnel {
    return this.#require(address).serveTunnel(tunnelId, signal);
  }

  #require(address: string): AgentConnection {
    if (this.#connection?.address !== address) {
      throw new ClusterError('UNAVAILABLE', `there is no session with ${address}`);
    }
    return this.#connection.channel;
  }
}
