/** The contexts file on disk, and the PEM files that it names. */
import { chmod, chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { ClusterError } from '#model/errors.ts';
import { contextFileToPlain, NO_CONTEXTS, readContextFile } from './context.ts';
import type { Context, ContextFile, PemSource } from './context.ts';

export interface ContextCredentials {
  readonly caPem: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** `$XDG_CONFIG_HOME/gantry/config.yaml`, else `~/.config/gantry/config.yaml`. */
export function contextPath(environment: ReadonlyMap<string, string>): string {
  const base = environment.get('XDG_CONFIG_HOME') ?? path.join(environment.get('HOME') ?? '/root', '.config');
  return path.join(base, 'gantry', 'config.yaml');
}

export async function loadContexts(file: string): Promise<ContextFile> {
  const text = await readText(file);
  if (text === undefined) {
    return NO_CONTEXTS;
  }
  const { parseYaml } = await import('./yaml-text.ts');
  try {
    return readContextFile(parseYaml(text));
  } catch (error) {
    throw new ClusterError('INVALID_ARGUMENT', `${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Replaces the file by rename, readable by its owner alone. */
export async function saveContexts(file: string, contexts: ContextFile): Promise<void> {
  const { formatYaml } = await import('./yaml-text.ts');
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.new`;
  await writeFile(draft, formatYaml(contextFileToPlain(contexts)), { mode: 0o600 });
  await chmod(draft, 0o600);
  await rename(draft, file);
}

/** The PEM texts of a context, looked at before any dial. @throws ClusterError FAILED_PRECONDITION naming the file and what is wrong */
export async function loadCredentials(context: Context): Promise<ContextCredentials> {
  const [caPem, certificatePem, keyPem] = await Promise.all([readPem(context.ca, 'CA'), readPem(context.certificate, 'certificate'), readKey(context.key)]);
  requireParsed(context.ca, 'CA', () => new X509Certificate(caPem));
  const certificate = requireParsed(context.certificate, 'certificate', () => new X509Certificate(certificatePem));
  const key = requireParsed(context.key, 'key', () => createPrivateKey(keyPem));
  if (!certificate.checkPrivateKey(key)) {
    throw new ClusterError('FAILED_PRECONDITION', `client key ${describePem(context.key)}: does not match certificate ${describePem(context.certificate)}`);
  }
  return { caPem, certificatePem, keyPem };
}

/**
 * Writes a renewed certificate to where the context has its certificate. Its readers see the old one
 * or the new one.
 *
 * @throws ClusterError FAILED_PRECONDITION when the file cannot be written
 */
export async function replaceCertificate(file: string, { name, certificate }: Context, certificatePem: string): Promise<void> {
  if (certificate.kind === 'inline') {
    // Read again: another command may have changed the file since.
    const contexts = await loadContexts(file);
    const renewed = contexts.contexts.map(one => (one.name === name ? { ...one, certificate: { kind: 'inline', pem: certificatePem } as const } : one));
    await saveContexts(file, { ...contexts, contexts: renewed });
    return;
  }
  const draft = `${certificate.path}.${String(process.pid)}`;
  try {
    const { mode, uid, gid } = await stat(certificate.path);
    await writeFile(draft, certificatePem, { mode: mode & 0o777, flush: true });
    const written = await stat(draft);
    if (written.uid !== uid || written.gid !== gid) await chown(draft, uid, gid);
    await rename(draft, certificate.path);
  } catch (error) {
    await rm(draft, { force: true });
    throw new ClusterError('FAILED_PRECONDITION', `client certificate ${certificate.path}: cannot be replaced (${describeReadError(error)}); run the command as a user who may write it`, { cause: error });
  }
}

async function readKey(source: PemSource): Promise<string> {
  if (source.kind === 'file') {
    const facts = await stat(source.path).catch(() => undefined);
    if (facts !== undefined && (facts.mode & 0o077) !== 0 && facts.isFile()) {
      throw new ClusterError('FAILED_PRECONDITION', `client key ${source.path}: others can read it; chmod 600 ${source.path}`);
    }
  }
  return await readPem(source, 'key');
}

async function readPem(source: PemSource, what: string): Promise<string> {
  if (source.kind === 'inline') {
    return source.pem;
  }
  try {
    return await readFile(source.path, 'utf8');
  } catch (error) {
    throw new ClusterError('FAILED_PRECONDITION', `client ${what} ${source.path}: ${describeReadError(error)}`, { cause: error });
  }
}

function requireParsed<T>(source: PemSource, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new ClusterError('FAILED_PRECONDITION', `client ${what} ${describePem(source)}: is not PEM`, { cause: error });
  }
}

function describePem(source: PemSource): string {
  return source.kind === 'file' ? source.path : '(in the contexts file)';
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw new ClusterError('FAILED_PRECONDITION', `${file}: ${describeReadError(error)}`, { cause: error });
  }
}

function describeReadError(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EISDIR':
      return 'is a directory';
    case 'EACCES':
      return 'permission denied';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
