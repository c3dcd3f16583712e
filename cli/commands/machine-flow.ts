/** `init`: the keys of a new cluster. `join`: this machine becomes a node of one. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { PeerRole } from '#model/peer-name.ts';
import { isLabel } from '#model/ids.ts';
import { contextPath, loadContexts, saveContexts } from '../context-fs.ts';
import { withContext } from '../context.ts';
import { machineName, requireAbsent, requireFreeRanges, writePrivate } from '../machine-fs.ts';
import type { SecretFile } from '../machine-fs.ts';
import { UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { printPlain, say } from './print-flow.ts';

export interface InitFlags {
  readonly address?: string;
  readonly configDir?: string;
  readonly name?: string;
}

export interface JoinFlags {
  readonly token?: string;
  readonly node?: string;
  readonly configDir?: string;
}

const DEFAULT_CONFIG_DIR = '/etc/gantry';
/** etcd and NATS do not renew theirs: they are replaced by hand. */
const INFRASTRUCTURE_TTL_MS = 365 * 24 * 3_600_000;
const SECRETS_KEY_BYTES = 32;

/** Makes the CA, the secrets key, certificates for etcd and NATS, and the operator's context. The controllers make their own certificates from the CA. */
export async function initCluster(shell: Shell, flags: InitFlags): Promise<void> {
  const directory = flags.configDir ?? DEFAULT_CONFIG_DIR;
  const name = flags.name ?? 'gantry';
  const address = flags.address ?? `${machineName()}:7400`;
  await requireAbsent(path.join(directory, 'ca-key.pem'));
  requireFreeRanges();
  const { createAuthority, issueCertificate } = await import('#identity/certificate-authority.ts');
  const nowMs = shell.clock.nowMs();
  const authority = await createAuthority(name, nowMs);
  const host = address.slice(0, address.lastIndexOf(':'));
  const isIp = /^[\d.]+$/.test(host);
  const names = { dnsNames: ['localhost', ...(isIp ? [] : [host])], ipAddresses: ['127.0.0.1', ...(isIp ? [host] : [])] };
  const issue = async (role: PeerRole, folder: string, places: typeof names): Promise<readonly SecretFile[]> => {
    const pair = await issueCertificate(authority, { role, name: folder, ...places }, { nowMs, ttlMs: INFRASTRUCTURE_TTL_MS });
    return [
      { name: `${folder}/ca.pem`, text: authority.certificatePem }, { name: `${folder}/key.pem`, text: pair.keyPem },
      { name: `${folder}/certificate.pem`, text: pair.certificatePem },
    ];
  };
  const none = { dnsNames: [], ipAddresses: [] };
  const files = [
    ...await issue('controller', 'etcd', names), ...await issue('controller', 'etcd-client', none), ...await issue('controller', 'nats', names),
    ...await issue('operator', 'operator', none),
  ];
  // The CA's key comes last: it is what says that the directory is whole.
  await writePrivate(directory, [
    ...files, { name: 'secrets.key', text: randomBytes(SECRETS_KEY_BYTES).toString('hex') }, { name: 'ca.pem', text: authority.certificatePem },
    { name: 'ca-key.pem', text: authority.keyPem },
  ]);
  const pem = (file: string) => ({ kind: 'file', path: path.join(path.resolve(directory), 'operator', file) } as const);
  const contexts = contextPath(shell.environment);
  await saveContexts(contexts, withContext(await loadContexts(contexts), { name, controllers: [address], ca: pem('ca.pem'), certificate: pem('certificate.pem'), key: pem('key.pem') }));
  await say(shell, `${directory} holds the keys of the new cluster ${name}; copy ca.pem, ca-key.pem and secrets.key to every other controller\ncontext ${name} talks to ${address}`);
}

/** Asks a controller's join listener for a certificate; the key never leaves this machine. */
export async function joinMachine(shell: Shell, address: string, flags: JoinFlags): Promise<void> {
  const directory = flags.configDir ?? DEFAULT_CONFIG_DIR;
  const nodeName = flags.node ?? machineName();
  const token = flags.token ?? new TextDecoder().decode(await shell.files.readInput()).trim();
  if (!isLabel(nodeName)) {
    throw new UsageError(`${nodeName} is no node name; give --node NAME`);
  }
  await requireAbsent(path.join(directory, 'certificate.pem'));
  const { parseJoinToken } = await import('#identity/join-token-parse.ts');
  const { createSigningRequest } = await import('#identity/certificate-authority.ts');
  const { joinCluster } = await import('#rpc/agent-client.ts');
  const { caSha256 } = parseJoinToken(token);
  const { csrPem, keyPem } = await createSigningRequest();
  const issued = await joinCluster({ address, token, caSha256, nodeName, csrPem }, shell.signal);
  await writePrivate(directory, [{ name: 'ca.pem', text: issued.caPem }, { name: 'key.pem', text: keyPem }, { name: 'certificate.pem', text: issued.certificatePem }]);
  if (shell.options.output === 'json' || shell.options.output === 'yaml') {
    await printPlain(shell, { node: nodeName, configDir: directory, controllers: issued.controllers });
    return;
  }
  await say(shell, `node/${nodeName} joined\nstart it with: gantry-agent --node ${nodeName} --controllers ${issued.controllers.join(',')}`);
}
