/** PeerApi: what the other controllers ask of this one. */
import type { Clock } from '#kit/clock.ts';
import type { PeerHandlers } from '#model/ports.ts';
import type { Times } from '#model/times.ts';
import { requireRole } from '../api/access.ts';
import type { EndpointsLoop } from '../endpoints/endpoints-loop.ts';
import { isHeard } from '../api/instance-rules.ts';
import { serveLocalTunnel } from './tunnel-flow.ts';
import type { TunnelParts } from './tunnel-flow.ts';

/** Longest wait that another controller may ask for. */
const MAX_WAIT_MS = 10_000;

export function createPeerApi(parts: TunnelParts & { readonly endpoints: EndpointsLoop; readonly times: Times; readonly clock: Clock; readonly signal: AbortSignal }): PeerHandlers {
  return {
    async relay(request, tunnel, peer, signal) {
      requireRole(peer, 'controller');
      await serveLocalTunnel(request, tunnel, parts, signal);
    },
    async awaitEndpoints(generation, timeoutMs, peer) {
      requireRole(peer, 'controller');
      return { isReached: await parts.endpoints.awaitAcknowledged(generation, Math.min(timeoutMs, MAX_WAIT_MS), parts.signal) };
    },
    hearsNode(node, peer) {
      requireRole(peer, 'controller');
      return Promise.resolve({ isHeard: isHeard(parts.sessions.get(node), parts.clock.monotonicMs(), parts.times) });
    },
  };
}
