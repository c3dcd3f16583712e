/** A node whose certificate has ended gets another one for the same key, without a token. */
import type { RenewalProof } from '#identity/renewal-proof.ts';
import { ClusterError } from '#model/errors.ts';
import { parseNodeId } from '#model/ids.ts';
import type { IssuedCertificate } from '#model/ports.ts';
import { isCertificateRemoved, removal } from '../api/instance-rules.ts';
import { readRemoved } from '../api/registration-flow.ts';
import { buildKey } from '../store/keys.ts';
import type { JoinParts } from './ports.ts';
import { signWhileValid } from './sign-while-valid-flow.ts';

/**
 * Only for a node that is listed, and never for a certificate from before the node was removed or replaced. The store itself is asked.
 *
 * @throws ClusterError UNAUTHENTICATED, PERMISSION_DENIED for a node that was removed, NOT_FOUND
 */
export async function renewExpired(csrPem: string, { peer, certifiedAtMs }: RenewalProof, parts: JoinParts): Promise<IssuedCertificate> {
  if (peer.role !== 'node') {
    throw new ClusterError('UNAUTHENTICATED', `certificate to renew: it is of ${peer.role} ${peer.name}; only nodes renew theirs here`);
  }
  const { store, authority, signal } = parts;
  const node = parseNodeId(peer.name);
  return await signWhileValid({ csrPem, node }, async () => {
    const { removed } = await readRemoved(node, store, signal);
    if (isCertificateRemoved({ certifiedAtMs }, removed)) {
      throw new ClusterError('PERMISSION_DENIED', removal(node).message);
    }
    if (await store.get(buildKey({ kind: 'node', id: node }), signal) === undefined) {
      throw new ClusterError('NOT_FOUND', `node ${node} is not in the cluster; join it: clusterctl token create, then gantry-agent --join TOKEN`);
    }
    return removed;
  }, authority);
}
