/** Secrets at rest: AES-256-GCM, bound to the record they are stored in. Source: NIST SP 800-38D. */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { ClusterError } from '#model/errors.ts';

export const SECRETS_KEY_BYTES = 32;
/** Source: NIST SP 800-38D section 8.2.2: 96 bits, random, never twice under a key. */
export const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/** Names the key without telling it: first 8 hex of its SHA-256. */
export function secretsKeyId(key: Uint8Array): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 8);
}

/**
 * Ciphertext followed by the tag.
 *
 * @param context  where it is stored, e.g. `shop/db-password/3`; opening it elsewhere fails
 * @param nonce    12 bytes of randomness
 */
export function sealSecret(key: Uint8Array, nonce: Uint8Array, content: Uint8Array, context: string): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context));
  return new Uint8Array(Buffer.concat([cipher.update(content), cipher.final(), cipher.getAuthTag()]));
}

/** @throws ClusterError FAILED_PRECONDITION when the key, the context or a byte is not what it was */
export function openSecret(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, context: string): Uint8Array {
  try {
    const tagAt = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(context))
      .setAuthTag(sealed.subarray(tagAt));
    return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(0, tagAt)), decipher.final()]));
  } catch (cause) {
    throw new ClusterError('FAILED_PRECONDITION', `secret ${context} cannot be opened with key ${secretsKeyId(key)}`, { cause });
  }
}
