import type { ExecutionContext } from 'ava';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import type { IssueTimes, KeyPair } from '#identity/certificate-authority.ts';
import type { PeerRole } from '#model/peer-name.ts';
import type { ControlClient, ControlHandlers } from '#model/ports.ts';
import { createControlClient } from '#rpc/control-client.ts';
import { controlService } from '#rpc/control-server.ts';
import { startRpcServer } from '#rpc/rpc-server.ts';
import type { RpcServer, RpcServerOptions } from '#rpc/rpc-server.ts';
import type { RpcService } from '#rpc/service-builder.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { silentLogger } from './silent-logger.ts';

/** A certificate authority of a test, and who it certifies. */
export class TestAuthority {
  readonly keys: KeyPair;

  private constructor(keys: KeyPair) {
    this.keys = keys;
  }

  static async create(): Promise<TestAuthority> {
    return new TestAuthority(await createAuthority('test', Date.now()));
  }

  async identity(role: PeerRole, name: string, times: IssueTimes = { nowMs: Date.now() }): Promise<TlsIdentity> {
    return { caPem: this.keys.certificatePem, pair: await issueCertificate(this.keys, { role, name, dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] }, times) };
  }

  /** A controller on a free loopback port, closed with the test. */
  async serve(t: ExecutionContext, services: readonly RpcService[], { log, ...options }: Partial<Pick<RpcServerOptions, 'clients' | 'log' | 'handshakeTimeoutMs' | 'limits'>> = {}): Promise<RpcServer & { readonly address: string }> {
    const server = await startRpcServer({
      host: '127.0.0.1', port: 0, identity: await this.identity('controller', 'c1'), clients: 'certified', services, log: log ?? silentLogger, ...options,
    });
    t.teardown(() => server.close());
    return { ...server, address: `127.0.0.1:${String(server.port)}` };
  }

  /** A client, an operator's unless `identity` is given, of a controller with these handlers. */
  async withControl<T>(
    t: ExecutionContext, some: Partial<ControlHandlers>, work: (client: ControlClient, address: string) => Promise<T>, options: { readonly identity?: TlsIdentity; readonly readerStallMs?: number } = {},
  ): Promise<T> {
    const server = await this.serve(t, [controlService(controlHandlers(some), { log: silentLogger, ...(options.readerStallMs === undefined ? {} : { readerStallMs: options.readerStallMs }) })]);
    const client = createControlClient({ controllers: [server.address], identity: options.identity ?? await this.identity('operator', 'joe') });
    try {
      return await work(client, server.address);
    } finally {
      client.close();
    }
  }
}

/** Handlers of which a test gives some; the others throw. */
export function controlHandlers(some: Partial<ControlHandlers>): ControlHandlers {
  return new Proxy(some, {
    get: (target, name) => Reflect.get(target, name) as unknown ?? ((): never => { throw new Error(`handler ${String(name)} is not of this test`); }),
  }) as ControlHandlers;
}
