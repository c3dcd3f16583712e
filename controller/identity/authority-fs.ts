/** The cluster's key material on a controller's disk: the CA that signs nodes and the controller itself, the key that seals secrets. */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import path from 'node:path';
import { issueCertificate, signRequest } from '#identity/certificate-authority.ts';
import type { IssueTimes, KeyPair } from '#identity/certificate-authority.ts';
import { certificateSha256 } from '#identity/certificate-rules.ts';
import { JOIN_SECRET_BYTES, formatJoinToken, joinSecretHash, parseJoinToken } from '#identity/join-token-parse.ts';
import { NONCE_BYTES, SECRETS_KEY_BYTES, openSecret, sealSecret, secretsKeyId } from '#identity/secret-seal-rules.ts';
import type { Clock } from '#kit/clock.ts';
import { ClusterError } from '#model/errors.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import type { SecretSealer } from '../api/ports.ts';
import type { CertificateAuthority, JoinTokens } from './ports.ts';

/** Files of `--config-dir`: the CA's certificate and key, the same on every controller. */
export const AUTHORITY_FILES = { certificate: 'ca.pem', key: 'ca-key.pem' } as const;

/** Keeps these HMACs apart from every other use of the key. */
const FINGERPRINT_LABEL = 'gantry request\0';

/** Times in certificates have no fractions. Source: RFC 5280 section 4.1.2.5 */
const WHOLE_SECOND_MS = 1_000;

/** Reads the CA. @throws ClusterError FAILED_PRECONDITION naming the file that cannot be read */
export async function readAuthority(configDir: string): Promise<KeyPair> {
  const [certificatePem, keyPem] = await Promise.all([
    readText(path.join(configDir, AUTHORITY_FILES.certificate)), readText(path.join(configDir, AUTHORITY_FILES.key)),
  ]);
  return { certificatePem, keyPem };
}

/** A fresh certificate for this controller: it holds the CA, so it needs nobody to renew. */
export async function issueOwnIdentity(authority: KeyPair, id: string, addresses: readonly string[], times: IssueTimes): Promise<TlsIdentity> {
  const hosts = [...new Set(addresses.map(address => address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')).filter(host => host !== ''))];
  const pair = await issueCertificate(authority, {
    role: 'controller', name: id, dnsNames: hosts.filter(host => isIP(host) === 0), ipAddresses: hosts.filter(host => isIP(host) !== 0),
  }, times);
  return { caPem: authority.certificatePem, pair };
}

/** Certificates of nodes live `nodeTtlMs`. */
export function certificateAuthority(authority: KeyPair, clock: Clock, nodeTtlMs: number): CertificateAuthority {
  return {
    caPem: authority.certificatePem,
    async sign(csrPem, { role, name, issuedAfterMs = 0, ttlMs = nodeTtlMs }) {
      const nowMs = Math.max(clock.nowMs(), issuedAfterMs + WHOLE_SECOND_MS);
      return await signRequest(authority, csrPem, { role, name, dnsNames: [], ipAddresses: [] }, { nowMs, ttlMs });
    },
  };
}

export function joinTokens(authority: KeyPair): JoinTokens {
  const caSha256 = certificateSha256(authority.certificatePem);
  return {
    make() {
      const token = formatJoinToken(randomBytes(JOIN_SECRET_BYTES), caSha256);
      return { token, hash: joinSecretHash(parseJoinToken(token).secret) };
    },
    hashOf(text) {
      try {
        const token = parseJoinToken(text);
        return token.caSha256 === caSha256 ? joinSecretHash(token.secret) : undefined;
      } catch {
        // Not a token at all: refused like one that is not known.
        return undefined;
      }
    },
  };
}

/** Of one key file; each costs a fingerprint of every write. */
const MAX_KEYS = 8;

/**
 * The sealer of the keys in `file`, one a line, each 32 bytes as 64 hex digits: the first seals, all of them open.
 *
 * @throws ClusterError FAILED_PRECONDITION
 */
export async function readSealer(file: string): Promise<SecretSealer> {
  const lines = (await readText(file)).split('\n').map(line => line.trim()).filter(line => line !== '');
  if (lines.length === 0 || lines.length > MAX_KEYS || !lines.every(line => /^[0-9a-f]{64}$/.test(line))) {
    throw new ClusterError('FAILED_PRECONDITION', `${file} is not a secrets key: 1 to ${String(MAX_KEYS)} lines of ${String(SECRETS_KEY_BYTES * 2)} hex digits; the first key seals, all open`);
  }
  const keys = new Map(lines.map(line => {
    const key = createSecretKey(Buffer.from(line, 'hex')).export();
    return [secretsKeyId(key), key] as const;
  }));
  const [[keyId, first] = ['', Buffer.alloc(0)] as const] = [...keys];
  return {
    keyId,
    seal(plain, associated) {
      const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
      return { nonce, sealed: sealSecret(first, nonce, plain, associated) };
    },
    fingerprints: text => [...keys.values()].map(key => new Uint8Array(createHmac('sha256', key).update(FINGERPRINT_LABEL).update(text).digest())),
    open(record, associated) {
      const key = keys.get(record.keyId);
      if (key === undefined) {
        throw new ClusterError('FAILED_PRECONDITION', `secret ${associated} was sealed with key ${record.keyId}, this controller has ${[...keys.keys()].join(', ')}; add that key to ${file}`);
      }
      return openSecret(key, record.nonce, record.sealed, associated);
    },
  };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ClusterError('FAILED_PRECONDITION', `${file} cannot be read`, { cause });
  }
}
