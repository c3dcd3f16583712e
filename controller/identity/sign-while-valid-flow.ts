import type { NodeId } from '#model/ids.ts';
import type { IssuedCertificate } from '#model/ports.ts';
import type { RemovedNode } from '#model/records.ts';
import type { CertificateAuthority } from './ports.ts';

/**
 * Signs between two checks of the store: a node that was removed meanwhile does not get the certificate.
 * A removal that is written after the second check is dated later than the certificate (`removalAtMs`).
 *
 * @param requireValid  reads the store; throws where the node may not renew
 */
export async function signWhileValid(
  { csrPem, node }: { readonly csrPem: string; readonly node: NodeId }, requireValid: () => Promise<RemovedNode | undefined>, authority: CertificateAuthority,
): Promise<IssuedCertificate> {
  const removed = await requireValid();
  const certificatePem = await authority.sign(csrPem, { role: 'node', name: node, issuedAfterMs: removed?.removedAtMs ?? 0 });
  await requireValid();
  return { certificatePem, caPem: authority.caPem };
}
