/** Join tokens into node certificates, and their renewal, also once they have ended. */
import { proveRenewal } from '#identity/renewal-proof.ts';
import { ClusterError } from '#model/errors.ts';
import { parseNodeId } from '#model/ids.ts';
import type { AgentHandlers, ControlHandlers, JoinHandlers } from '#model/ports.ts';
import { requireRole } from '../api/access.ts';
import { requireValidNode } from '../api/revocation-flow.ts';
import { joinNode } from './join-flow.ts';
import type { JoinParts } from './ports.ts';
import { renewExpired } from './renew-expired-flow.ts';
import { signWhileValid } from './sign-while-valid-flow.ts';
import { createToken } from './token-store.ts';
import { addWrongTry, waitBeforeTry } from './try-limit.ts';
import type { WrongTries } from './try-limit.ts';

type IdentityHandlers = JoinHandlers & Pick<AgentHandlers, 'renew'> & Pick<ControlHandlers, 'createToken' | 'renewCertificate'>;

export function createIdentityApi(parts: JoinParts): IdentityHandlers {
  let tries: WrongTries = new Map();
  const requireTry = (key: string, what: string): void => {
    const waitMs = waitBeforeTry(tries, key, parts.clock.nowMs());
    if (waitMs > 0) {
      throw new ClusterError('RESOURCE_EXHAUSTED', `too many ${what}; try again in ${String(Math.ceil(waitMs / 1000))} s`);
    }
  };
  const countTry = (key: string): void => { tries = addWrongTry(tries, key, parts.clock.nowMs()); };
  /** Wrong tokens and wrong proofs of an address count together. */
  const whileFewWrong = async <T>(address: string, what: string, work: () => Promise<T>): Promise<T> => {
    requireTry(address, `${what} from ${address}`);
    try {
      return await work();
    } catch (error) {
      if (error instanceof ClusterError && error.code === 'UNAUTHENTICATED') countTry(address);
      throw error;
    }
  };
  return {
    join: (request, remoteAddress) => whileFewWrong(remoteAddress, 'wrong join tokens', () => joinNode(request, parts)),
    renewExpired: ({ certificatePem, csrPem }, remoteAddress) => whileFewWrong(remoteAddress, 'wrong certificates', async () => {
      const proof = await proveRenewal(parts.authority.caPem, certificatePem, csrPem);
      const key = `${proof.peer.role}/${proof.peer.name}`;
      requireTry(key, `renewals of ${key}`);
      countTry(key);
      return await renewExpired(csrPem, proof, parts);
    }),
    async renew(csrPem, peer) {
      requireRole(peer, 'node');
      return await signWhileValid({ csrPem, node: parseNodeId(peer.name) }, async () => await requireValidNode(peer, parts.store, parts.signal), parts.authority);
    },
    async renewCertificate({ csrPem }, peer) {
      requireRole(peer, 'operator');
      const life = peer.certificateLifeMs === undefined ? {} : { ttlMs: peer.certificateLifeMs };
      return { certificatePem: await parts.authority.sign(csrPem, { role: 'operator', name: peer.name, ...life }) };
    },
    async createToken(request, peer) {
      requireRole(peer, 'operator');
      return await createToken(request, parts);
    },
  };
}
