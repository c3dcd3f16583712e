import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { PeerCertificate, SecureContextOptions } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import type { ChannelCredentials } from '@grpc/grpc-js';
import { ClusterError } from '#model/errors.ts';
import { parseSubjectAltName } from '#model/peer-name.ts';

/** Who we are and whom we trust, as PEM. Without a pair it is good for Join only. */
export interface TlsIdentity {
  readonly caPem: string;
  readonly pair?: { readonly certificatePem: string; readonly keyPem: string };
}

/** The files of an identity, in one directory. */
export const TLS_FILES = { ca: 'ca.pem', certificate: 'certificate.pem', key: 'key.pem' } as const;

/** Reads `ca.pem`, `certificate.pem` and `key.pem` of a directory. @throws ClusterError FAILED_PRECONDITION that names the file that cannot be read */
export async function readTlsIdentity(directory: string): Promise<TlsIdentity> {
  const [caPem, certificatePem, keyPem] = await Promise.all([
    readPem(join(directory, TLS_FILES.ca)), readPem(join(directory, TLS_FILES.certificate)), readPem(join(directory, TLS_FILES.key)),
  ]);
  return { caPem, pair: { certificatePem, keyPem } };
}

/** TLS 1.3 only (reliability 9), in both directions. */
export function secureContextOptions(identity: TlsIdentity): SecureContextOptions {
  return {
    minVersion: 'TLSv1.3',
    ca: identity.caPem,
    ...(identity.pair === undefined ? {} : { cert: identity.pair.certificatePem + identity.caPem, key: identity.pair.keyPem }),
  };
}

/** Client credentials that accept any controller of our CA, whatever its address: a controller is known by its SAN URI. */
export function channelCredentials(identity: TlsIdentity): ChannelCredentials {
  return credentials.createFromSecureContext(createSecureContext(secureContextOptions(identity)), {
    checkServerIdentity: (_host: string, certificate: PeerCertificate) => checkController(certificate),
  });
}

function checkController(certificate: PeerCertificate): Error | undefined {
  const peer = parseSubjectAltName(certificate.subjectaltname ?? '');
  return peer?.role === 'controller' ? undefined : new Error(`${certificate.subjectaltname ?? 'the server'} is no controller`);
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new ClusterError('FAILED_PRECONDITION', `${path} cannot be read`, { cause });
  }
}
