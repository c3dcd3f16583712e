import { renewAtMs, readCertificate } from '#identity/certificate-rules.ts';
import { splitAddress } from '#kit/address-parse.ts';
import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { IdentityHolder } from '#rpc/identity-holder.ts';
import { startRpcServer } from '#rpc/rpc-server.ts';
import type { RpcServer } from '#rpc/rpc-server.ts';
import type { RpcService } from '#rpc/service-builder.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';

export interface RpcLoopOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** `host:port` */
  readonly listen: string;
  /** Empty: nobody can join here. */
  readonly joinListen: string;
  readonly services: readonly RpcService[];
  readonly joinServices: readonly RpcService[];
  readonly identity: IdentityHolder;
  readonly issueIdentity: () => Promise<TlsIdentity>;
}

/** Longest sleep before the certificate is looked at again: the wall clock may jump. */
const LOOK_AGAIN_MS = 3_600_000;

/** The listeners of this controller, with a certificate that is renewed at 2/3 of its life. */
export class RpcLoop implements Loop {
  readonly #options: RpcLoopOptions;

  constructor(options: RpcLoopOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const servers = await this.#start();
    try {
      await this.#renewForEver(servers, signal);
    } finally {
      await Promise.all(servers.map(async server => { await server.close(); }));
    }
  }

  async #start(): Promise<readonly RpcServer[]> {
    const { listen, joinListen, services, joinServices, log } = this.#options;
    const identity = this.#options.identity.current;
    const main = await startRpcServer({ ...splitAddress(listen), identity, clients: 'certified', services, log });
    if (joinListen === '') {
      return [main];
    }
    return [main, await startRpcServer({ ...splitAddress(joinListen), identity, clients: 'anyone', services: joinServices, log })];
  }

  async #renewForEver(servers: readonly RpcServer[], signal: AbortSignal): Promise<void> {
    const { clock, identity } = this.#options;
    identity.onRenewed(renewed => { servers.forEach(server => { server.updateIdentity(renewed); }); });
    for (;;) {
      const dueMs = renewAtMs(readCertificate(identity.current.pair?.certificatePem ?? ''));
      if (clock.nowMs() >= dueMs) {
        identity.renew(await this.#options.issueIdentity());
        this.#options.log.info({}, 'certificate renewed');
        continue;
      }
      await clock.sleep(Math.min(dueMs - clock.nowMs(), LOOK_AGAIN_MS), signal);
    }
  }
}
