import { randomBytes, randomUUID } from 'node:crypto';
import type { Loop } from '#kit/supervise-loop.ts';
import { superviseLoops } from '#kit/supervise-loop.ts';
import { agentService, joinService } from '#rpc/agent-server.ts';
import type { CallEnd } from '#rpc/call-end.ts';
import { controlService } from '#rpc/control-server.ts';
import type { IdentityHolder } from '#rpc/identity-holder.ts';
import { peerService } from '#rpc/peer-server.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { PeerControllers } from '../tunnel/peer-client.ts';
import { auditLine } from './audit.ts';
import { ReplicaLoop } from './replica-loop.ts';
import type { ReplicaOptions } from './replica-loop.ts';
import { RpcLoop } from './rpc-loop.ts';
import { SessionTable } from './session-table.ts';

export interface ApiOptions extends Omit<ReplicaOptions, 'newId' | 'randomBytes' | 'random'> {
  readonly listen: string;
  readonly joinListen: string;
  /** Resolves when `state` was read once: nothing is served before. */
  readonly ready: (signal: AbortSignal) => Promise<void>;
  readonly identity: IdentityHolder;
  readonly issueIdentity: () => Promise<TlsIdentity>;
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
    const { log, state, identity } = options;
    const peers = new PeerControllers({ ownId: options.controllerId, state, identity: identity.current });
    identity.onRenewed(renewed => { peers.updateIdentity(renewed); });
    const replica = new ReplicaLoop({ ...options, sessions: this.#sessions, peers, newId: randomUUID, randomBytes, random: Math.random }, signal);
    const onCall = (end: CallEnd): void => {
      const line = auditLine(end);
      if (line !== undefined) options.audit.info({ ...line, etcdRevision: state.current.etcdRevision }, 'audit');
    };
    const rpc = new RpcLoop({
      ...options,
      services: [controlService(replica.control, { log, onCall }), agentService(replica.agents, { log, onCall }), peerService(replica.peers, { log, onCall })],
      joinServices: [joinService(replica.identity, { log, onCall })],
    });
    try {
      await superviseLoops({ replica, rpc }, signal);
    } finally {
      peers.close();
    }
  }
}
