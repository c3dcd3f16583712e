import type { Peer } from '#model/ports.ts';
import type { SecretSealer } from '../api/ports.ts';
import type { WriteParts } from '../api/write-once-flow.ts';

/** The cluster's certificate authority. */
export interface CertificateAuthority {
  readonly caPem: string;
  /** `ttlMs`: default that of nodes. Signs the request's key for that role and name; subject and names of the request itself are ignored. Never dated `issuedAfterMs` or earlier, whatever the clock. @throws ClusterError INVALID_ARGUMENT for a bad request */
  sign(csrPem: string, subject: { readonly role: Peer['role']; readonly name: string; readonly issuedAfterMs?: number; readonly ttlMs?: number }): Promise<string>;
}

/** Join tokens as text. */
export interface JoinTokens {
  /** A new secret token, and the SHA-256 of its secret in lower-case hex. */
  make(): { readonly token: string; readonly hash: string };
  /** The hash of a token's secret; undefined when the text is no token of this cluster. */
  hashOf(token: string): string | undefined;
}

export interface JoinParts extends WriteParts {
  readonly sealer: SecretSealer;
  readonly authority: CertificateAuthority;
  readonly tokens: JoinTokens;
  readonly signal: AbortSignal;
}
