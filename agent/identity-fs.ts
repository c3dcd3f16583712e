import { access, mkdir, readlink, rename, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCertificate } from '#identity/certificate-rules.ts';
import { isClusterError } from '#model/errors.ts';
import { readTlsIdentity, TLS_FILES } from '#rpc/tls-fs.ts';
import { forgetInstance } from './instance-fs.ts';
import { forgetJoined } from './joined-fs.ts';
import { isAbsent } from './task/durable-fs.ts';

/** A certificate with its key and authority, as one thing. */
export interface NodeIdentity {
  readonly caPem: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** Where the identity in use is: `ca.pem`, `certificate.pem`, `key.pem`, changed together. */
export function identityDirectory(configDir: string): string {
  return join(configDir, 'identity');
}

/**
 * The newest identity: the one in use, or the one that a join put into the config directory itself, which is then taken into use.
 * Undefined before the first join.
 */
export async function readIdentity(configDir: string): Promise<NodeIdentity | undefined> {
  const used = await readIfThere(identityDirectory(configDir));
  const joined = await readIfThere(configDir);
  if (joined === undefined || (used !== undefined && issuedAtMs(used) >= issuedAtMs(joined))) {
    return used;
  }
  await forgetInstance(configDir);
  await forgetJoined(configDir);
  await writeIdentity(configDir, joined);
  return joined;
}

/** Makes `identity` a link to the new one of `identity-a` and `identity-b`: a certificate and its key change together. */
export async function writeIdentity(configDir: string, identity: NodeIdentity): Promise<void> {
  await mkdir(configDir, { recursive: true, mode: 0o700 });
  const link = identityDirectory(configDir);
  const name = await currentName(link) === 'identity-a' ? 'identity-b' : 'identity-a';
  const directory = join(configDir, name);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { mode: 0o700 });
  await writeFile(join(directory, TLS_FILES.key), identity.keyPem, { mode: 0o600, flush: true });
  await writeFile(join(directory, TLS_FILES.certificate), identity.certificatePem, { mode: 0o600, flush: true });
  await writeFile(join(directory, TLS_FILES.ca), identity.caPem, { mode: 0o600, flush: true });
  await rm(`${link}.new`, { force: true });
  await symlink(name, `${link}.new`);
  await rename(`${link}.new`, link);
}

/** The node is nobody any more. What a controller of this machine needs stays; an empty directory goes. */
export async function forgetIdentity(configDir: string): Promise<void> {
  await forgetInstance(configDir);
  await forgetJoined(configDir);
  const isController = await access(join(configDir, 'ca-key.pem')).then(() => true, () => false);
  const mine = ['identity', 'identity-a', 'identity-b', TLS_FILES.certificate, TLS_FILES.key, ...(isController ? [] : [TLS_FILES.ca])];
  for (const name of mine) {
    await rm(join(configDir, name), { recursive: true, force: true });
  }
  await rmdir(configDir).catch(() => { /* something else is in it */ });
}

async function currentName(link: string): Promise<string | undefined> {
  try {
    return await readlink(link);
  } catch (error) {
    if (isAbsent(error)) {
      return undefined;
    }
    throw error;
  }
}

function issuedAtMs(identity: NodeIdentity): number {
  return readCertificate(identity.certificatePem).notBeforeMs;
}

async function readIfThere(directory: string): Promise<NodeIdentity | undefined> {
  try {
    const { caPem, pair } = await readTlsIdentity(directory);
    return pair === undefined ? undefined : { caPem, ...pair };
  } catch (error) {
    if (isClusterError(error, 'FAILED_PRECONDITION') && isAbsent(error.cause)) {
      return undefined;
    }
    throw error;
  }
}
