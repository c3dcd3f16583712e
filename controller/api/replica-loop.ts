import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { superviseLoops } from '#kit/supervise-loop.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { AgentHandlers, ControlHandlers, PeerHandlers } from '#model/ports.ts';
import type { ClusterSettings } from '#model/records.ts';
import type { ReservedPorts } from '#model/reserved-port.ts';
import type { PlacementPolicy } from '#model/service.ts';
import type { Times } from '#model/times.ts';
import { EndpointsLoop } from '../endpoints/endpoints-loop.ts';
import { WithdrawalFlow } from '../endpoints/withdrawal-flow.ts';
import { createIdentityApi } from '../identity/join-api.ts';
import type { CertificateAuthority, JoinTokens } from '../identity/ports.ts';
import { mayAcknowledge } from '../reconcile/liveness.ts';
import { RevisionCache } from '../reconcile/revision-store.ts';
import type { Store } from '../store/ports.ts';
import { createPeerApi } from '../tunnel/peer-api.ts';
import type { PeerControllers } from '../tunnel/peer-client.ts';
import { TunnelBroker } from '../tunnel/tunnel-broker-flow.ts';
import { createAgentApi } from './agent-api.ts';
import type { SessionParts } from './agent-session-loop.ts';
import { readContents } from './content-flow.ts';
import { createControlApi } from './control-api.ts';
import { FirstRegistrations } from './first-registration-flow.ts';
import { LostNodesLoop } from './lost-nodes-loop.ts';
import type { ClusterState, EventSink, ImageRegistry, RegistryLogins, SecretSealer, UsageSource } from './ports.ts';
import { SessionLivenessLoop } from './session-liveness-loop.ts';
import type { SessionTable } from './session-table.ts';
import { SessionWatchLoop } from './session-watch-loop.ts';
import { RequestLease } from './write-once-flow.ts';

export interface ReplicaOptions {
  readonly controllerId: string;
  readonly version: string;
  readonly defaultRegistry: string;
  readonly defaultPolicy: PlacementPolicy;
  readonly reservedPorts: readonly ReservedPorts[];
  readonly times: Times;
  readonly settings: ClusterSettings;
  readonly store: Store;
  readonly state: ClusterState;
  readonly events: EventSink;
  /** Absent without `--nats`. */
  readonly usage: UsageSource | undefined;
  /** As in SessionParts. */
  readonly news?: SessionParts['news'];
  /** Services may scale by metrics. */
  readonly hasPrometheus: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  /** One line for each write, each way into a task, and each refusal of a certificate. */
  readonly audit: Pick<Logger, 'info'>;
  readonly resolver: ImageRegistry;
  readonly logins: RegistryLogins;
  readonly sealer: SecretSealer;
  readonly authority: CertificateAuthority;
  readonly tokens: JoinTokens;
  readonly lastRenewedMonotonicMs: () => number;
  /** A UUID. */
  readonly newId: () => string;
  readonly randomBytes: (count: number) => Buffer;
  /** 0 <= random < 1 */
  readonly random: () => number;
}

/** The other replicas, as this one asks them. */
export type PeerReplicas = Pick<PeerControllers, 'awaitAtPeers' | 'isHeardAt' | 'relay'>;

/** What this replica answers, whatever carries the calls; `run` is what must go on for it. */
export class ReplicaLoop implements Loop {
  readonly control: ControlHandlers;
  readonly agents: AgentHandlers;
  readonly peers: PeerHandlers;
  readonly identity: ReturnType<typeof createIdentityApi>;
  readonly #endpoints: EndpointsLoop;
  readonly #liveness: SessionLivenessLoop;
  readonly #watch: SessionWatchLoop;
  readonly #lostNodes: LostNodesLoop;

  /** @param signal  ends what calls wait for: that of `run` */
  constructor(options: ReplicaOptions & { readonly sessions: SessionTable; readonly peers: PeerReplicas }, signal: AbortSignal) {
    const { clock, newId, peers, store } = options;
    const endpoints = new EndpointsLoop(options);
    const liveness = new SessionLivenessLoop(options);
    const lostNodes = new LostNodesLoop(options);
    const broker = new TunnelBroker(clock, newId);
    const shared = {
      ...options, endpoints, liveness, lostNodes, broker, signal,
      clusterId: options.settings.clusterId,
      requestLease: new RequestLease(store, clock),
      firstRegistrations: new FirstRegistrations(options, signal),
      withdrawal: new WithdrawalFlow(endpoints, peers, clock, signal),
      contents: async (wanted: Parameters<typeof readContents>[0], inner: AbortSignal) => await readContents(wanted, options, inner),
      onTunnelRefused: (id: string, code: string, message: string) => { broker.refuse(id, code, message); },
      mayAcknowledge: () => mayAcknowledge(options.lastRenewedMonotonicMs(), clock.monotonicMs(), options.times.leaseMs),
      revisions: new RevisionCache(store),
    };
    this.#endpoints = endpoints;
    this.#liveness = liveness;
    this.#lostNodes = lostNodes;
    this.#watch = new SessionWatchLoop(options);
    this.control = createControlApi(shared);
    this.agents = createAgentApi(shared);
    this.peers = createPeerApi(shared);
    this.identity = createIdentityApi(shared);
  }

  async run(signal: AbortSignal): Promise<void> {
    await superviseLoops({ endpoints: this.#endpoints, liveness: this.#liveness, sessions: this.#watch, lostNodes: this.#lostNodes }, signal);
  }
}
