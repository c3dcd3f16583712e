/** Join tokens into node certificates, and their renewal. */
import { ClusterError } from '#model/errors.ts';
import type { AgentHandlers, ControlHandlers, JoinHandlers } from '#model/ports.ts';
import { requireRole } from '../api/access.ts';
import { requireValidNode } from '../api/revocation-flow.ts';
import { joinNode } from './join-flow.ts';
import type { JoinParts } from './ports.ts';
import { createToken } from './token-store.ts';
import { addWrongTry, waitBeforeTry } from './try-limit.ts';
import type { WrongTries } from './try-limit.ts';

type IdentityHandlers = JoinHandlers & Pick<AgentHandlers, 'renew'> & Pick<ControlHandlers, 'createToken'>;

export function createIdentityApi(parts: JoinParts): IdentityHandlers {
  let tries: WrongTries = new Map();
  return {
    async join(request, remoteAddress) {
      const nowMs = parts.clock.nowMs();
      const waitMs = waitBeforeTry(tries, remoteAddress, nowMs);
      if (waitMs > 0) {
        throw new ClusterError('RESOURCE_EXHAUSTED', `too many wrong join tokens from ${remoteAddress}; try again in ${String(Math.ceil(waitMs / 1000))} s`);
      }
      try {
        return await joinNode(request, parts);
      } catch (error) {
        if (error instanceof ClusterError && error.code === 'UNAUTHENTICATED') {
          tries = addWrongTry(tries, remoteAddress, nowMs);
        }
        throw error;
      }
    },
    async renew(csrPem, peer) {
      await requireValidNode(peer, parts.store, parts.signal);
      return { certificatePem: await parts.authority.sign(csrPem, { role: 'node', name: peer.name }), caPem: parts.authority.caPem };
    },
    async createToken(request, peer) {
      requireRole(peer, 'operator');
      return await createToken(request, parts);
    },
  };
}
