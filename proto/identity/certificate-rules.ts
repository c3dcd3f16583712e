/** How long certificates live, and what a file of one says. */
import { createHash, X509Certificate } from 'node:crypto';
import { ClusterError } from '#model/errors.ts';
import { parseSubjectAltName } from '#model/peer-name.ts';
import type { PeerName } from '#model/peer-name.ts';

/** A leaf's life (reliability 9); renewed from the first issue on. */
export const CERTIFICATE_TTL_MS = 24 * 60 * 60 * 1000;
export const AUTHORITY_TTL_MS = 10 * 365 * 24 * 60 * 60 * 1000;
/** Leaves are valid from this long before their issue, for clocks that lag. */
export const CLOCK_SKEW_MS = 5 * 60 * 1000;

export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Two thirds of the certificate's life, from its issue on, have passed then. */
export function renewAtMs({ notBeforeMs, notAfterMs }: Validity): number {
  const issuedAtMs = Math.min(notBeforeMs + CLOCK_SKEW_MS, notAfterMs);
  return issuedAtMs + Math.floor((notAfterMs - issuedAtMs) * 2 / 3);
}

/** The end of one certificate, as metrics report it. */
export interface CertificateEnd {
  readonly certificate: string;
  readonly notAfterMs: number;
  /** Absent: no program renews it. */
  readonly renewAtMs?: number;
}

/** @throws ClusterError INVALID_ARGUMENT when `pem` is no certificate */
export function certificateEnd(certificate: string, pem: string): CertificateEnd {
  const validity = readCertificate(pem);
  return { certificate, notAfterMs: validity.notAfterMs, renewAtMs: renewAtMs(validity) };
}

/** @throws ClusterError INVALID_ARGUMENT when `pem` is no certificate */
export function authorityEnd(certificate: string, pem: string): CertificateEnd {
  return { certificate, notAfterMs: readCertificate(pem).notAfterMs };
}

export function isExpired({ notAfterMs }: Validity, nowMs: number): boolean {
  return nowMs >= notAfterMs;
}

/** What a certificate says; `peer` is absent when it names none of ours. @throws ClusterError INVALID_ARGUMENT when `pem` is no certificate */
export function readCertificate(pem: string): Validity & { readonly peer?: PeerName } {
  const certificate = parsePem(pem);
  const peer = parseSubjectAltName(certificate.subjectAltName ?? '');
  return {
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
    ...(peer === undefined ? {} : { peer }),
  };
}

/** SHA-256 of the DER form in lower-case hex: how a join token names its cluster's CA. */
export function certificateSha256(pem: string): string {
  return createHash('sha256').update(parsePem(pem).raw).digest('hex');
}

function parsePem(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new ClusterError('INVALID_ARGUMENT', 'not a PEM certificate', { cause });
  }
}
