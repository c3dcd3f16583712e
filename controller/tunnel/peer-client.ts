import type { ControllerRecord } from '#model/node.ts';
import type { NodeId } from '#model/ids.ts';
import type { Tunnel, TunnelRequest } from '#model/tunnel.ts';
import { connectPeer } from '#rpc/peer-client.ts';
import type { PeerConnection } from '#rpc/peer-client.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import type { ClusterState } from '../api/ports.ts';
import type { PeerEndpoints } from '../endpoints/ports.ts';
import type { PeerTunnels } from './ports.ts';

/** A controller that takes longer to say whom it hears is taken for gone. */
const HEARS_TIMEOUT_MS = 1_000;

/** Connections to the other controllers, one each, made when first needed and again after the identity was renewed. */
export class PeerControllers implements PeerEndpoints, PeerTunnels {
  readonly #ownId: string;
  readonly #state: ClusterState;
  readonly #connections = new Map<string, PeerConnection>();
  #identity: TlsIdentity;

  constructor(parts: { readonly ownId: string; readonly state: ClusterState; readonly identity: TlsIdentity }) {
    this.#ownId = parts.ownId;
    this.#state = parts.state;
    this.#identity = parts.identity;
  }

  updateIdentity(identity: TlsIdentity): void {
    this.#identity = identity;
    this.close();
  }

  async awaitAtPeers(generation: number, timeoutMs: number): Promise<boolean> {
    const others = [...this.#state.current.controllers.values()].map(record => record.value).filter(record => record.id !== this.#ownId);
    // A controller that does not answer has no sessions that could be asked: its nodes hear of the change when they have one again.
    const answers = await Promise.allSettled(others.map(async record => await this.#connect(record).awaitEndpoints(generation, timeoutMs)));
    return answers.every(answer => answer.status === 'rejected' || answer.value.isReached);
  }

  /** False also when that controller is gone or does not answer: then nobody hears the node. */
  async isHeardAt(controllerId: string, node: NodeId): Promise<boolean> {
    const record = this.#state.current.controllers.get(controllerId)?.value;
    if (record === undefined || controllerId === this.#ownId) {
      return false;
    }
    return await this.#connect(record).hearsNode(node, HEARS_TIMEOUT_MS).then(({ isHeard }) => isHeard, () => false);
  }

  relay(controller: ControllerRecord, request: TunnelRequest, signal: AbortSignal): Tunnel {
    return this.#connect(controller).relay(request, signal);
  }

  close(): void {
    for (const connection of this.#connections.values()) {
      connection.close();
    }
    this.#connections.clear();
  }

  #connect(record: ControllerRecord): PeerConnection {
    const known = this.#connections.get(record.apiAddress);
    if (known !== undefined) {
      return known;
    }
    const connection = connectPeer(record.apiAddress, this.#identity);
    this.#connections.set(record.apiAddress, connection);
    return connection;
  }
}
