/** A program proves that it is the one which a certificate names, also after that certificate has ended. */
import { X509Certificate } from 'node:crypto';
import { ClusterError } from '#model/errors.ts';
import { parseSubjectAltName } from '#model/peer-name.ts';
import type { PeerName } from '#model/peer-name.ts';
import { verifyRequest } from './certificate-authority.ts';
import { CLOCK_SKEW_MS } from './certificate-rules.ts';

/** Of a certificate or a request; ours have less than 2 KiB. */
const MAX_PEM_LENGTH = 16 * 1024;

export interface RenewalProof {
  readonly peer: PeerName;
  /** When the certificate was issued. */
  readonly certifiedAtMs: number;
}

/**
 * The peer of a certificate that `caPem` signed, whose key also signed the request.
 *
 * A request that is sent again proves nothing anew, and needs not to: its answer certifies the same key, which only its owner has.
 *
 * @throws ClusterError UNAUTHENTICATED
 */
export async function proveRenewal(caPem: string, certificatePem: string, csrPem: string): Promise<RenewalProof> {
  if (certificatePem.length > MAX_PEM_LENGTH || csrPem.length > MAX_PEM_LENGTH) {
    throw unproved(`more than ${String(MAX_PEM_LENGTH)} characters`);
  }
  const certificate = parse(certificatePem);
  const authority = new X509Certificate(caPem);
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) {
    throw unproved('it is not of this cluster');
  }
  const peer = parseSubjectAltName(certificate.subjectAltName ?? '');
  if (peer === undefined) {
    throw unproved('it names no node');
  }
  const request = await verifyRequest(csrPem).catch((cause: unknown) => { throw unproved('there is no request that its key signed', cause); });
  if (!certificate.publicKey.export({ type: 'spki', format: 'der' }).equals(new Uint8Array(request.publicKey.rawData))) {
    throw unproved('another key than its own signed the request');
  }
  return { peer, certifiedAtMs: certificate.validFromDate.getTime() + CLOCK_SKEW_MS };
}

function parse(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw unproved('it is not a certificate', cause);
  }
}

function unproved(why: string, cause?: unknown): ClusterError {
  return new ClusterError('UNAUTHENTICATED', `certificate to renew: ${why}; join again: clusterctl token create, then gantry-agent --join TOKEN`, { cause });
}
