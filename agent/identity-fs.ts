import { mkdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isClusterError } from '#model/errors.ts';
import { readTlsIdentity, TLS_FILES } from '#rpc/tls-fs.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { isAbsent } from './task/durable-fs.ts';

/** A certificate with its key and authority, as one thing. */
export interface NodeIdentity {
  readonly caPem: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

/**
 * The node's identity under the config directory: `identity` is a link to one of `identity-a` and `identity-b`, so that a certificate
 * and its key change together. Undefined before the first join.
 */
export async function readIdentity(configDir: string): Promise<TlsIdentity | undefined> {
  try {
    return await readTlsIdentity(join(configDir, 'identity'));
  } catch (error) {
    if (isClusterError(error, 'FAILED_PRECONDITION') && isAbsent(error.cause)) {
      return undefined;
    }
    throw error;
  }
}

export async function writeIdentity(configDir: string, identity: NodeIdentity): Promise<void> {
  await mkdir(configDir, { recursive: true, mode: 0o700 });
  const link = join(configDir, 'identity');
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
