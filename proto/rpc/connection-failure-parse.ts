/** What a person is told when a connection does not come about. */
import { X509Certificate } from 'node:crypto';

/** Substrings of OpenSSL's and Node's words, in the order of the search. Source: RFC 8446 section 6 (alerts), openssl-verify(1). */
const CAUSES: readonly (readonly [string, string])[] = [
  ['alert certificate expired', 'our certificate has expired or is not valid yet by its clock'],
  ['alert certificate required', 'it asks for a client certificate and we have none'],
  ['alert unknown ca', 'our certificate is of another certificate authority'],
  ['alert unsupported certificate', 'our certificate is not for clients'],
  ['alert bad certificate', 'our certificate is not accepted'],
  ['certificate has expired', 'its certificate has expired'],
  ['certificate is not yet valid', 'its certificate is not valid yet by the clock of this machine'],
  ['self-signed certificate', 'its certificate is of another certificate authority'],
  ['self signed certificate', 'its certificate is of another certificate authority'],
  ['unable to verify', 'its certificate is of another certificate authority'],
  ['unable to get', 'its certificate is of another certificate authority'],
  ['certificate signature failure', 'its certificate is of another certificate authority'],
  ['is no controller', 'its certificate is not a controller\'s'],
  ['ECONNREFUSED', 'connection refused'],
  ['ENOTFOUND', 'unknown host name'],
  ['EAI_AGAIN', 'host name cannot be looked up now'],
];

/** Source: RFC 5280 section 4.2.1.12, id-kp-clientAuth. */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** One line that names `target` and, where it can be known, the certificate's problem. `ours` is what `ownCertificateProblem` found. */
export function explainConnectionFailure(target: string, details: string, ours: string | undefined): string {
  const cause = CAUSES.find(([words]) => details.includes(words))?.[1];
  return `${target} cannot be reached: ${ours ?? cause ?? details.trim()}`;
}

/**
 * Why a server must refuse our certificate, as far as we can tell: a server that does so says no word, it hangs up.
 *
 * Undefined when we find nothing wrong.
 */
export function ownCertificateProblem(pem: string, caPem: string, nowMs: number): string | undefined {
  const certificate = new X509Certificate(pem);
  if (nowMs >= certificate.validToDate.getTime()) {
    return `our certificate has expired on ${certificate.validToDate.toISOString()}`;
  }
  if (nowMs < certificate.validFromDate.getTime()) {
    return `our certificate is not valid before ${certificate.validFromDate.toISOString()}, and the clock of this machine says ${new Date(nowMs).toISOString()}`;
  }
  if (!certificate.verify(new X509Certificate(caPem).publicKey)) {
    return 'our certificate is of another certificate authority';
  }
  return certificate.keyUsage.includes(CLIENT_AUTH) ? undefined : 'our certificate is not for clients';
}
