/** What a person is told when a connection does not come about. */

/** Substrings of OpenSSL's and Node's words, in the order of the search. Source: RFC 8446 section 6 (alerts), openssl-verify(1). */
const CAUSES: readonly (readonly [string, string])[] = [
  ['alert certificate expired', 'our certificate has expired or is not valid yet'],
  ['alert certificate required', 'it asks for a client certificate and we have none'],
  ['alert unknown ca', 'our certificate is of another certificate authority'],
  ['alert unsupported certificate', 'our certificate is not for clients'],
  ['alert bad certificate', 'our certificate is not accepted'],
  ['certificate has expired', 'its certificate has expired'],
  ['certificate is not yet valid', 'its certificate is not valid yet'],
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

/** One line that names `target` and, where it can be known, the certificate's problem. */
export function explainConnectionFailure(target: string, details: string): string {
  const cause = CAUSES.find(([words]) => details.includes(words))?.[1];
  return `${target} cannot be reached: ${cause ?? details}`;
}
