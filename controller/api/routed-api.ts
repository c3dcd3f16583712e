/** When the nodes lead requests to what the cluster shows as serving. */
import { ClusterError } from '#model/errors.ts';
import type { ControlHandlers } from '#model/ports.ts';
import type { EndpointsLoop } from '../endpoints/endpoints-loop.ts';
import type { PeerEndpoints } from '../endpoints/ports.ts';
import { requireRole } from './access.ts';

export interface RoutedParts {
  readonly endpoints: Pick<EndpointsLoop, 'awaitAcknowledged'>;
  readonly peers: PeerEndpoints;
  readonly signal: AbortSignal;
}

const MAX_WAIT_MS = 10_000;

/** A node without a session is not waited for: nobody could tell whether it has them. */
export function createRoutedApi({ endpoints, peers, signal }: RoutedParts): Pick<ControlHandlers, 'awaitRouted'> {
  return {
    async awaitRouted({ etcdRevision, timeoutMs }, peer) {
      requireRole(peer, 'operator');
      if (etcdRevision < 0 || timeoutMs < 0) {
        throw new ClusterError('INVALID_ARGUMENT', `revision ${String(etcdRevision)} and timeout ${String(timeoutMs)} ms are to be 0 or more`);
      }
      const limitMs = Math.min(timeoutMs, MAX_WAIT_MS);
      const answers = await Promise.all([endpoints.awaitAcknowledged(etcdRevision, limitMs, signal), peers.awaitAtPeers(etcdRevision, limitMs)]);
      return { isReached: answers.every(isReached => isReached) };
    },
  };
}
