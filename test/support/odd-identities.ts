/** Identities that no controller may accept, and none of which is what it looks like. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { ExtendedKeyUsage, ExtendedKeyUsageExtension, SubjectAlternativeNameExtension, X509Certificate, X509CertificateGenerator } from '@peculiar/x509';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import type { KeyPair } from '#identity/certificate-authority.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';

const HOUR_MS = 3_600_000;

/** What is odd -> an operator's identity with that. */
export async function oddIdentities(authority: KeyPair, nowMs: number): Promise<Readonly<Record<'another CA' | 'expired' | 'not yet valid' | 'for servers only', TlsIdentity>>> {
  const stranger = await createAuthority('stranger', nowMs);
  const subject = { role: 'operator', name: 'joe', dnsNames: [], ipAddresses: [] } as const;
  const trusting = (pair: KeyPair): TlsIdentity => ({ caPem: authority.certificatePem, pair });
  return {
    'another CA': trusting(await issueCertificate(stranger, subject, { nowMs })),
    'expired': trusting(await issueCertificate(authority, subject, { nowMs: nowMs - 2 * HOUR_MS, ttlMs: HOUR_MS })),
    'not yet valid': trusting(await issueCertificate(authority, subject, { nowMs: nowMs + 2 * HOUR_MS, ttlMs: HOUR_MS })),
    'for servers only': trusting(await issueServerOnly(authority, nowMs)),
  };
}

/** A certificate that may only serve. */
export async function issueServerOnly(authority: KeyPair, nowMs: number): Promise<KeyPair> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const der = Buffer.from(authority.keyPem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  const certificate = await X509CertificateGenerator.create({
    serialNumber: '41', subject: 'CN=joe', issuer: new X509Certificate(authority.certificatePem).subject, signingAlgorithm: algorithm,
    notBefore: new Date(nowMs - HOUR_MS), notAfter: new Date(nowMs + HOUR_MS),
    publicKey: keys.publicKey, signingKey: await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']),
    extensions: [
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]), new SubjectAlternativeNameExtension([{ type: 'url', value: 'spiffe://gantry/operator/joe' }]),
    ],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return { certificatePem: `${certificate.toString('pem')}\n`, keyPem: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n` };
}
