import type { PeerHandlers } from '#model/ports.ts';
import { parseNodeId } from '#model/ids.ts';
import { PEER } from './agent-methods.ts';
import { ServiceBuilder } from './service-builder.ts';
import type { RpcService, ServiceOptions } from './service-builder.ts';
import { acceptTunnel } from './tunnel-end.ts';

/** PeerApi over its handlers, for controllers. */
export function peerService(handlers: PeerHandlers, options: Omit<ServiceOptions, 'role'>): RpcService {
  return new ServiceBuilder({ ...options, role: 'controller' })
    .duplex(PEER.relay, async (stream, peer, signal, note) => {
      const { opening, tunnel } = await acceptTunnel(stream);
      note(opening);
      await handlers.relay(opening, tunnel, peer, signal);
    })
    .unary(PEER.awaitEndpoints, ({ generation, timeoutMs }, peer) => handlers.awaitEndpoints(generation, timeoutMs, peer))
    .unary(PEER.hearsNode, ({ node }, peer) => handlers.hearsNode(parseNodeId(node), peer));
}
