import { randomBytes, randomUUID } from 'node:crypto';
import type { Loop } from '#kit/supervise-loop.ts';
import { superviseLoops } from '#kit/supervise-loop.ts';
import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { ClusterSettings } from '#model/records.ts';
import type { Times } from '#model/times.ts';
import { agentService, joinService } from '#rpc/agent-server.ts';
import { controlService } from '#rpc/control-server.ts';
import { peerService } from '#rpc/peer-server.ts';
import type { IdentityHolder } from '#rpc/identity-holder.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { EndpointsLoop } from '../endpoints/endpoints-loop.ts';
import { WithdrawalFlow } from '../endpoints/withdrawal-flow.ts';
import { createIdentityApi } from '../identity/join-api.ts';
import type { CertificateAuthority, JoinTokens } from '../identity/ports.ts';
import type { Store } from '../store/ports.ts';
import { createPeerApi } from '../tunnel/peer-api.ts';
import { PeerControllers } from '../tunnel/peer-client.ts';
import { TunnelBroker } from '../tunnel/tunnel-broker-flow.ts';
import type { CallEnd } from '#rpc/call-end.ts';
import { auditLine } from './audit.ts';
import { createAgentApi } from './agent-api.ts';
import { createControlApi } from './control-api.ts';
import { readContents } from './content-flow.ts';
import type { ClusterState, EventSink, ImageRegistry, RegistryLogins, SecretSealer, UsageSource } from './ports.ts';
import { RpcLoop } from './rpc-loop.ts';
import { SessionLivenessLoop } from './session-liveness-loop.ts';
import { SessionTable } from './session-table.ts';
import { mayAcknowledge } from '../reconcile/liveness.ts';
import { RevisionCache } from '../reconcile/revision-store.ts';
import { RequestLease } from './write-once-flow.ts';

export interface ApiOptions {
  readonly controllerId: string;
  readonly listen: string;
  readonly joinListen: string;
  readonly version: string;
  readonly defaultRegistry: string;
  readonly times: Times;
  readonly settings: ClusterSettings;
  readonly store: Store;
  readonly state: ClusterState;
  /** Resolves when `state` was read once: nothing is served before. */
  readonly ready: (signal: AbortSignal) => Promise<void>;
  readonly events: EventSink;
  /** Absent without `--nats`. */
  readonly usage: UsageSource | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** One line for each write, each way into a task, and each refusal of a certificate. */
  readonly audit: Pick<Logger, 'info'>;
  readonly resolver: ImageRegistry;
  readonly logins: RegistryLogins;
  readonly sealer: SecretSealer;
  readonly authority: CertificateAuthority;
  readonly tokens: JoinTokens;
  readonly identity: IdentityHolder;
  readonly issueIdentity: () => Promise<TlsIdentity>;
  readonly lastRenewedMonotonicMs: () => number;
}

/** Everything that this replica serves: operators, agents, the other controllers; and what must run for it. */
export class ApiLoop implements Loop {
  readonly #options: ApiOptions;
  readonly #sessions = new SessionTable();

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  sessionCount(): number {
    return this.#sessions.all().length;
  }

  async run(signal: AbortSignal): Promise<void> {
    const options = this.#options;
    await options.ready(signal);
    const { clock, log, state, identity } = options;
    const sessions = this.#sessions;
    const peers = new PeerControllers({ ownId: options.controllerId, state, identity: identity.current });
    identity.onRenewed(renewed => { peers.updateIdentity(renewed); });
    const endpoints = new EndpointsLoop({ state, sessions, clock });
    const liveness = new SessionLivenessLoop(options);
    const broker = new TunnelBroker(clock, randomUUID);
    const shared = {
      ...options, sessions, endpoints, liveness, broker, peers, signal,
      clusterId: options.settings.clusterId,
      requestLease: new RequestLease(options.store, clock),
      withdrawal: new WithdrawalFlow(endpoints, peers, signal),
      contents: async (wanted: Parameters<typeof readContents>[0], inner: AbortSignal) => await readContents(wanted, options, inner),
      onTunnelRefused: (id: string, code: string, message: string) => { broker.refuse(id, code, message); },
      mayAcknowledge: () => mayAcknowledge(options.lastRenewedMonotonicMs(), clock.monotonicMs(), options.times.leaseMs),
      newId: randomUUID,
      randomBytes,
      revisions: new RevisionCache(options.store),
    };
    const onCall = (end: CallEnd): void => {
      const line = auditLine(end);
      if (line !== undefined) options.audit.info({ ...line, etcdRevision: state.current.etcdRevision }, 'audit');
    };
    const rpc = new RpcLoop({
      ...options,
      services: [controlService(createControlApi(shared), { log, onCall }), agentService(createAgentApi(shared), { log, onCall }), peerService(createPeerApi(shared), { log, onCall })],
      joinServices: [joinService(createIdentityApi(shared), { log, onCall })],
    });
    try {
      await superviseLoops({ endpoints, liveness, rpc }, signal);
    } finally {
      peers.close();
    }
  }
}
