/** Makes keys and certificates. The controller alone holds the authority's key; subjects and names are its choice. */
import 'reflect-metadata';
import { createPublicKey, randomBytes, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension, BasicConstraintsExtension, cryptoProvider, ExtendedKeyUsage, ExtendedKeyUsageExtension,
  KeyUsageFlags, KeyUsagesExtension, Pkcs10CertificateRequest, Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension, X509Certificate, X509CertificateGenerator,
} from '@peculiar/x509';
import { ClusterError } from '#model/errors.ts';
import { peerUri, roleHostNames } from '#model/peer-name.ts';
import type { PeerName } from '#model/peer-name.ts';
import { AUTHORITY_TTL_MS, CERTIFICATE_TTL_MS, CLOCK_SKEW_MS, readCertificate } from './certificate-rules.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
/** Source: RFC 5280 section 4.1.2.2: positive, at most 20 octets. */
const SERIAL_BYTES = 16;
const PEM_LINE = 64;

type CryptoKey = webcrypto.CryptoKey;

cryptoProvider.set(webcrypto);

/** PEM texts. The key is PKCS #8, as etcd, NATS and Node read it. */
export interface KeyPair {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface CertificateSubject extends PeerName {
  /** Where it serves; empty for pure clients. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

export interface IssueTimes {
  readonly nowMs: number;
  /** Default: 24 h. */
  readonly ttlMs?: number;
}

/** A new self-signed CA that may sign leaves only. */
export async function createAuthority(name: string, nowMs: number): Promise<KeyPair> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [name] }],
    notBefore: new Date(nowMs - CLOCK_SKEW_MS),
    notAfter: new Date(nowMs + AUTHORITY_TTL_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: `${certificate.toString('pem')}\n`, keyPem: await exportKey(keys.privateKey) };
}

/** A new key with its certificate, for processes whose key the controller may hold (`init`, dev, etcd, NATS). */
export async function issueCertificate(authority: KeyPair, subject: CertificateSubject, times: IssueTimes): Promise<KeyPair> {
  const keys = await generateKeys();
  return {
    certificatePem: await signLeaf(authority, keys.publicKey, subject, times),
    keyPem: await exportKey(keys.privateKey),
  };
}

/** A new key and the request to certify it. The request names nobody: that is the controller's part. */
export async function createSigningRequest(): Promise<{ readonly csrPem: string; readonly keyPem: string }> {
  const keys = await generateKeys();
  return { csrPem: await requestOf(keys), keyPem: await exportKey(keys.privateKey) };
}

/** The request to certify a key that is there already. */
export async function requestForKey(keyPem: string): Promise<string> {
  const publicDer = createPublicKey(keyPem).export({ type: 'spki', format: 'der' });
  const publicKey = await webcrypto.subtle.importKey('spki', publicDer, ALGORITHM, true, ['verify']);
  return await requestOf({ privateKey: await importKey(keyPem), publicKey });
}

async function requestOf(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: ALGORITHM });
  return `${request.toString('pem')}\n`;
}

/**
 * The certificate for the key of a request, with names given by the caller.
 *
 * @throws ClusterError INVALID_ARGUMENT for what is no request, one whose signature is not by its own key, a key that is
 * not P-256, or one that asks for extensions
 */
export async function signRequest(authority: KeyPair, csrPem: string, subject: CertificateSubject, times: IssueTimes): Promise<string> {
  const request = await verifyRequest(csrPem);
  return await signLeaf(authority, await request.publicKey.export() as CryptoKey, subject, times);
}

/** A certificate with the key, the names and the life of an earlier one. @throws ClusterError INVALID_ARGUMENT when it names none of ours */
export async function reissueCertificate(authority: KeyPair, certificatePem: string, nowMs: number): Promise<string> {
  const { peer, notBeforeMs, notAfterMs } = readCertificate(certificatePem);
  if (peer === undefined) {
    throw new ClusterError('INVALID_ARGUMENT', 'certificate: names no peer of ours; issue it anew');
  }
  const earlier = new X509Certificate(certificatePem);
  const names = earlier.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [];
  const ofType = (wanted: string): readonly string[] => names.filter(({ type }) => type === wanted).map(({ value }) => value);
  const dnsNames = ofType('dns').filter(name => !roleHostNames(peer.role).includes(name));
  const publicKey = await earlier.publicKey.export() as CryptoKey;
  return await signLeaf(authority, publicKey, { ...peer, dnsNames, ipAddresses: ofType('ip') }, { nowMs, ttlMs: notAfterMs - notBeforeMs - CLOCK_SKEW_MS });
}

/** @throws ClusterError INVALID_ARGUMENT, as `signRequest` */
export async function verifyRequest(csrPem: string): Promise<Pkcs10CertificateRequest> {
  let request: Pkcs10CertificateRequest;
  let isSigned: boolean;
  try {
    request = new Pkcs10CertificateRequest(csrPem);
    isSigned = await request.verify();
  } catch (cause) {
    throw new ClusterError('INVALID_ARGUMENT', 'certificate request: not a PKCS #10 request in PEM', { cause });
  }
  if (!isSigned) {
    throw new ClusterError('INVALID_ARGUMENT', 'certificate request: not signed by its own key');
  }
  if (request.extensions.length > 0) {
    throw new ClusterError('INVALID_ARGUMENT', 'certificate request: asks for extensions; the controller chooses them');
  }
  const { name, namedCurve } = request.publicKey.algorithm as webcrypto.EcKeyAlgorithm;
  if (name !== 'ECDSA' || namedCurve !== 'P-256') {
    throw new ClusterError('INVALID_ARGUMENT', `certificate request: key is ${name}, not ECDSA P-256`);
  }
  return request;
}

async function signLeaf(authority: KeyPair, publicKey: CryptoKey, subject: CertificateSubject, times: IssueTimes): Promise<string> {
  const issuer = new X509Certificate(authority.certificatePem);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ O: [`gantry:${subject.role}`] }, { CN: [subject.name] }],
    issuer: issuer.subject,
    notBefore: new Date(times.nowMs - CLOCK_SKEW_MS),
    notAfter: new Date(times.nowMs + (times.ttlMs ?? CERTIFICATE_TTL_MS)),
    signingAlgorithm: ALGORITHM,
    publicKey,
    signingKey: await importKey(authority.keyPem),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer),
      new SubjectAlternativeNameExtension([
        { type: 'url', value: peerUri(subject) },
        ...[...roleHostNames(subject.role), ...subject.dnsNames].map(value => ({ type: 'dns' as const, value })),
        ...subject.ipAddresses.map(value => ({ type: 'ip' as const, value })),
      ]),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function exportKey(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  const lines = Array.from({ length: Math.ceil(der.length / PEM_LINE) }, (_, line) => der.slice(line * PEM_LINE, (line + 1) * PEM_LINE));
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

async function importKey(keyPem: string): Promise<CryptoKey> {
  const der = Buffer.from(keyPem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  return await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
}

/** Random, with the top bit clear and the next one set: positive and of full length. */
function serialNumber(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
