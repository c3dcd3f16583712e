/** `init`: the keys of a new cluster. `join`: this machine becomes a node of one. */
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import path from 'node:path';
import type { KeyPair } from '#identity/certificate-authority.ts';
import type { PeerRole } from '#model/peer-name.ts';
import { isLabel } from '#model/ids.ts';
import { quoted } from '#model/printable.ts';
import { contextPath, loadContexts, saveContexts } from '../context-fs.ts';
import { withContext } from '../context.ts';
import { machineName, requireAbsent, requireFreeRanges, requireOwnState, writePrivate } from '../machine-fs.ts';
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
  /** The same as `node`. */
  readonly name?: string;
  readonly configDir?: string;
  readonly stateDir?: string;
}

const DEFAULT_CONFIG_DIR = '/etc/gantry';
const DEFAULT_STATE_DIR = '/var/lib/gantry';
/** The controller of the machine renews those of etcd, NATS, Prometheus and the operator. */
const INFRASTRUCTURE_TTL_MS = 365 * 24 * 3_600_000;
const SECRETS_KEY_BYTES = 32;
const NOWHERE = { dnsNames: [] as readonly string[], ipAddresses: [] as readonly string[] };

/**
 * Makes the CA, the secrets key, certificates for etcd, NATS and Prometheus, and the operator's context. The controllers make their own
 * certificates from the CA. etcd has a CA of its own: whoever it trusts may read and write everything, and nodes must not.
 */
export async function initCluster(shell: Shell, flags: InitFlags): Promise<void> {
  const directory = flags.configDir ?? DEFAULT_CONFIG_DIR;
  const name = flags.name ?? 'gantry';
  const controllers = (flags.address ?? `${machineName()}:7400`).split(',').map(requireAddress);
  await requireAbsent(path.join(directory, 'ca-key.pem'));
  requireFreeRanges();
  const { createAuthority, issueCertificate } = await import('#identity/certificate-authority.ts');
  const nowMs = shell.clock.nowMs();
  const authority = await createAuthority(name, nowMs);
  const etcdAuthority = await createAuthority(`${name} etcd`, nowMs);
  const issue = async (by: KeyPair, role: PeerRole, folder: string, places = NOWHERE): Promise<readonly SecretFile[]> => {
    const pair = await issueCertificate(by, { role, name: folder, ...places }, { nowMs, ttlMs: INFRASTRUCTURE_TTL_MS });
    return [
      { name: `${folder}/ca.pem`, text: by.certificatePem }, { name: `${folder}/key.pem`, text: pair.keyPem },
      { name: `${folder}/certificate.pem`, text: pair.certificatePem },
    ];
  };
  const names = serverNames(controllers);
  const files = [
    ...await issue(etcdAuthority, 'server', 'etcd', names), ...await issue(etcdAuthority, 'controller', 'etcd-client'),
    ...await issue(authority, 'server', 'nats', names), ...await issue(authority, 'operator', 'operator'), ...await issue(authority, 'monitor', 'prometheus'),
    { name: 'etcd-ca-key.pem', text: etcdAuthority.keyPem },
  ];
  // The CA's key comes last: it is what says that the directory is whole.
  await writePrivate(directory, [
    ...files, { name: 'secrets.key', text: randomBytes(SECRETS_KEY_BYTES).toString('hex') }, { name: 'ca.pem', text: authority.certificatePem },
    { name: 'ca-key.pem', text: authority.keyPem },
  ]);
  const pem = (file: string) => ({ kind: 'file', path: path.join(path.resolve(directory), 'operator', file) } as const);
  const contexts = contextPath(shell.environment);
  await saveContexts(contexts, withContext(await loadContexts(contexts), { name, controllers, ca: pem('ca.pem'), certificate: pem('certificate.pem'), key: pem('key.pem') }));
  await say(shell, `${directory} holds the keys of the new cluster ${name}; copy it to every other controller, and to no node\ncontext ${name} talks to ${controllers.join(', ')}\n${startHint(path.resolve(directory), controllers)}`);
}

/** etcd is where deploy/systemd puts it; a controller listens for nodes that join beside its API. */
function startHint(directory: string, controllers: readonly string[]): string {
  const [first = ''] = controllers;
  const pki = path.join(directory, 'etcd-client');
  const etcd = [...new Set(controllers.map(hostOf))].map(host => `https://${host}:7410`).join(',');
  return `start a controller with: gantry-controller --id c1 --listen ${first} --join-listen ${hostOf(first)}:7403 --config-dir ${directory}`
    + ` --etcd ${etcd} --etcd-ca ${pki}/ca.pem --etcd-cert ${pki}/certificate.pem --etcd-key ${pki}/key.pem`;
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'));
}

function requireAddress(address: string): string {
  if (!/^[A-Za-z0-9.-]+:\d{1,5}$/.test(address)) {
    throw new UsageError(`--address ${JSON.stringify(address)} is not HOST:PORT`);
  }
  return address;
}

/** Every server of the infrastructure may run on every controller's machine. */
function serverNames(controllers: readonly string[]): { readonly dnsNames: readonly string[]; readonly ipAddresses: readonly string[] } {
  const hosts = [...new Set(controllers.map(hostOf))];
  return { dnsNames: ['localhost', ...hosts.filter(host => isIP(host) === 0)], ipAddresses: ['127.0.0.1', ...hosts.filter(host => isIP(host) !== 0)] };
}

/** Asks a controller's join listener for a certificate; the key never leaves this machine. */
export async function joinMachine(shell: Shell, address: string, flags: JoinFlags): Promise<void> {
  const directory = flags.configDir ?? DEFAULT_CONFIG_DIR;
  const nodeName = flags.node ?? flags.name ?? machineName();
  if (!/^\S+:\d{1,5}$/.test(address)) {
    throw new UsageError(`${quoted(address)} is not HOST:PORT of a controller's --join-listen`);
  }
  const token = flags.token ?? new TextDecoder().decode(await shell.files.readInput()).trim();
  if (token === '') {
    throw new UsageError('join needs a token: give --token, or the token on stdin; a controller makes one with clusterctl token create');
  }
  if (!isLabel(nodeName)) {
    throw new UsageError(`${nodeName} is no node name; give --node NAME`);
  }
  await requireAbsent(path.join(directory, 'certificate.pem'));
  const { parseJoinToken } = await import('#identity/join-token-parse.ts');
  const { createSigningRequest } = await import('#identity/certificate-authority.ts');
  const { joinCluster } = await import('#rpc/agent-client.ts');
  const { caSha256 } = parseJoinToken(token);
  // Before the token is spent.
  const stateDir = flags.stateDir ?? DEFAULT_STATE_DIR;
  const isKnown = await requireOwnState(stateDir, { node: nodeName, caSha256 });
  const { csrPem, keyPem } = await createSigningRequest();
  const issued = await joinCluster({ address, token, caSha256, nodeName, csrPem }, shell.signal);
  await writePrivate(directory, [{ name: 'ca.pem', text: issued.caPem }, { name: 'key.pem', text: keyPem }, { name: 'certificate.pem', text: issued.certificatePem }]);
  if (shell.options.output === 'json' || shell.options.output === 'yaml') {
    await printPlain(shell, { node: nodeName, configDir: directory, controllers: issued.controllers });
    return;
  }
  const kept = isKnown ? `\n${stateDir} is from an earlier life of this node: its images and volumes are used again, tasks that the cluster does not know any more are stopped` : '';
  await say(shell, `node/${nodeName} joined${kept}\nstart it with: gantry-agent --node ${nodeName} --controllers ${issued.controllers.join(',')}`);
}
