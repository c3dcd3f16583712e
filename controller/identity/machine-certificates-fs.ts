/** Certificates beside the cluster's keys, one a folder: those of etcd, its clients, NATS, Prometheus and the operator, made by `init`. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chown, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { reissueCertificate } from '#identity/certificate-authority.ts';
import type { KeyPair } from '#identity/certificate-authority.ts';
import { readCertificate } from '#identity/certificate-rules.ts';
import type { Validity } from '#identity/certificate-rules.ts';
import { ClusterError } from '#model/errors.ts';
import { TLS_FILES } from '#rpc/tls-fs.ts';

export interface MachineCertificate extends Validity {
  /** Its folder below the config directory. */
  readonly folder: string;
  readonly certificatePem: string;
}

/** Keys of the authorities that `init` makes. */
const AUTHORITY_KEYS = ['ca-key.pem', 'etcd-ca-key.pem'];

/**
 * The certificates below `configDir`, sorted by folder, without those of nodes: agents renew these at a controller, which knows
 * the removed nodes. A certificate that cannot be read is reported and left out.
 */
export async function listMachineCertificates(configDir: string, onUnreadable: (folder: string, error: unknown) => void): Promise<readonly MachineCertificate[]> {
  const entries = await readdir(configDir, { withFileTypes: true });
  const folders = entries.filter(entry => entry.isDirectory()).map(({ name }) => name).sort();
  const found = await Promise.all(folders.map(async folder => {
    try {
      return await readOne(configDir, folder);
    } catch (error) {
      onUnreadable(folder, error);
      return undefined;
    }
  }));
  return found.filter(certificate => certificate !== undefined);
}

async function readOne(configDir: string, folder: string): Promise<MachineCertificate | undefined> {
  const certificatePem = await readIfThere(path.join(configDir, folder, TLS_FILES.certificate));
  if (certificatePem === undefined) {
    return undefined;
  }
  const { peer, notBeforeMs, notAfterMs } = readCertificate(certificatePem);
  return peer === undefined || peer.role === 'node' ? undefined : { folder, certificatePem, notBeforeMs, notAfterMs };
}

/**
 * Puts a certificate of the same key, names and life in place of the folder's. Its reader sees the old file or the new one, with the same owner and mode.
 *
 * @throws ClusterError FAILED_PRECONDITION when the key of its authority is not here
 */
export async function renewMachineCertificate(configDir: string, { folder, certificatePem }: MachineCertificate, nowMs: number): Promise<void> {
  const file = path.join(configDir, folder, TLS_FILES.certificate);
  const authority = await authorityOf(configDir, folder);
  const renewed = await reissueCertificate(authority, certificatePem, nowMs);
  const { mode, uid, gid } = await stat(file);
  // Controllers may share the directory.
  const next = `${file}.${String(process.pid)}`;
  try {
    await writeFile(next, renewed, { mode: mode & 0o777, flush: true });
    const written = await stat(next);
    if (written.uid !== uid || written.gid !== gid) await chown(next, uid, gid);
    await rename(next, file);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
}

async function authorityOf(configDir: string, folder: string): Promise<KeyPair> {
  const file = path.join(configDir, folder, TLS_FILES.ca);
  const certificatePem = await readFile(file, 'utf8');
  const certificate = new X509Certificate(certificatePem);
  for (const name of AUTHORITY_KEYS) {
    const keyPem = await readIfThere(path.join(configDir, name));
    if (keyPem !== undefined && certificate.checkPrivateKey(createPrivateKey(keyPem))) {
      return { certificatePem, keyPem };
    }
  }
  throw new ClusterError('FAILED_PRECONDITION', `${path.join(configDir, folder)}: the key of its authority ${file} is not in ${configDir}; copy ${AUTHORITY_KEYS.join(' and ')} there, or replace the certificate by hand`);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}
