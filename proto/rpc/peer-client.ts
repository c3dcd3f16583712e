import type { NodeId } from '#model/ids.ts';
import type { Tunnel, TunnelRequest } from '#model/tunnel.ts';
import { PEER } from './agent-methods.ts';
import { RpcChannel } from './rpc-channel.ts';
import type { TlsIdentity } from './tls-fs.ts';
import { dialTunnel } from './tunnel-end.ts';

/** The wait's own limit plus this is the call's deadline. */
const ANSWER_MARGIN_MS = 2_000;

/** A controller's connection to another one. */
export interface PeerConnection {
  relay(request: TunnelRequest, signal: AbortSignal): Tunnel;
  awaitEndpoints(generation: number, timeoutMs: number): Promise<{ readonly isReached: boolean }>;
  hearsNode(node: NodeId, timeoutMs: number): Promise<{ readonly isHeard: boolean }>;
  close(): void;
}

/** @param address  `host:port` of the other controller; dialled by the first call */
export function connectPeer(address: string, identity: TlsIdentity): PeerConnection {
  const channel = new RpcChannel(address, identity);
  return {
    relay: (request, signal) => dialTunnel(channel.duplex(PEER.relay), request, signal),
    awaitEndpoints: (generation, timeoutMs) =>
      channel.unary(PEER.awaitEndpoints, { generation, timeoutMs }, { timeoutMs: timeoutMs + ANSWER_MARGIN_MS }),
    hearsNode: (node, timeoutMs) => channel.unary(PEER.hearsNode, { node }, { timeoutMs }),
    close: () => { channel.close(); },
  };
}
