/**
 * Join tokens as text: `gantry-join-v1.SECRET.CA`, the secret 32 bytes in base64url, CA the SHA-256 of the cluster's CA
 * certificate in hex, so that a new node knows whom to trust before it trusts anybody.
 */
import { createHash } from 'node:crypto';
import { ClusterError } from '#model/errors.ts';

export const JOIN_SECRET_BYTES = 32;

export interface JoinToken {
  readonly secret: string;
  readonly caSha256: string;
}

const TOKEN = /^gantry-join-v1\.([A-Za-z0-9_-]{43})\.([0-9a-f]{64})$/;

/** @param secretBytes 32 bytes of randomness @throws RangeError for another number */
export function formatJoinToken(secretBytes: Uint8Array, caSha256: string): string {
  if (secretBytes.length !== JOIN_SECRET_BYTES) {
    throw new RangeError(`join secret has ${String(secretBytes.length)} bytes, not ${String(JOIN_SECRET_BYTES)}`);
  }
  return `gantry-join-v1.${Buffer.from(secretBytes).toString('base64url')}.${caSha256}`;
}

/** @throws ClusterError INVALID_ARGUMENT that never repeats the text, which may be most of a real token */
export function parseJoinToken(text: string): JoinToken {
  const [, secret, caSha256] = TOKEN.exec(text) ?? [];
  if (secret === undefined || caSha256 === undefined) {
    throw new ClusterError('INVALID_ARGUMENT', 'join token is not of the form gantry-join-v1.SECRET.CA');
  }
  return { secret, caSha256 };
}

/** What is stored of a token: SHA-256 of its secret, in hex. 256 random bits need no salt. */
export function joinSecretHash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
