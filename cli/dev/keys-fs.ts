/** Keys and certificates of a local cluster, in `pki` of its state directory: the `--config-dir` of its controllers, which renew them. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import type { KeyPair } from '#identity/certificate-authority.ts';
import type { PeerRole } from '#model/peer-name.ts';
import type { DevLayout } from './layout.ts';

/** As of `clusterctl init`. */
const INFRASTRUCTURE_TTL_MS = 365 * 24 * 3_600_000;
const PRIVATE_FILE = { mode: 0o600 };
const PRIVATE_DIR = { recursive: true, mode: 0o700 };

type KeysLayout = Pick<DevLayout, 'name' | 'stateDir' | 'hostAddress' | 'controllers'>;

export async function createKeys(layout: KeysLayout, nowMs: number): Promise<void> {
  const pki = pkiOf(layout);
  const authority = await createAuthority(`gantry dev ${layout.name}`, nowMs);
  await mkdir(pki, PRIVATE_DIR);
  await writeFile(`${pki}/ca.pem`, authority.certificatePem);
  await writeFile(`${pki}/ca-key.pem`, authority.keyPem, PRIVATE_FILE);
  await writeFile(`${pki}/secrets.key`, randomBytes(32).toString('hex'), PRIVATE_FILE);
  for (const name of ['nats', 'registry']) {
    await issue(layout, { folder: name, role: 'server', name, isServer: true }, authority, nowMs);
  }
  await issue(layout, { folder: 'prometheus', role: 'monitor', name: 'prometheus' }, authority, nowMs);
  await issue(layout, { folder: 'operator', role: 'operator', name: 'admin' }, authority, nowMs);
  await createEtcdKeys(layout, nowMs);
}

/**
 * Adds the keys that a cluster of an earlier version kept elsewhere, or did not keep. etcd and its
 * clients get another CA then: the key of the old one is lost. No program of the cluster may run.
 */
export async function completeKeys(layout: KeysLayout, nowMs: number): Promise<void> {
  const pki = pkiOf(layout);
  const [first] = layout.controllers;
  if (first === undefined || existsSync(`${pki}/etcd-ca-key.pem`)) {
    return;
  }
  for (const file of ['ca-key.pem', 'secrets.key']) {
    await copyFile(`${pki}/${first.name}/${file}`, `${pki}/${file}`);
  }
  await createEtcdKeys(layout, nowMs);
}

/** Whoever etcd trusts may read and write everything: nodes have certificates of the other CA. */
async function createEtcdKeys(layout: KeysLayout, nowMs: number): Promise<void> {
  const authority = await createAuthority(`gantry dev ${layout.name} etcd`, nowMs);
  await issue(layout, { folder: 'etcd', role: 'server', name: 'etcd', isServer: true }, authority, nowMs);
  await issue(layout, { folder: 'etcd-client', role: 'controller', name: 'etcd-client', isServer: true }, authority, nowMs);
  // Last: it marks the keys as complete.
  await writeFile(`${pkiOf(layout)}/etcd-ca-key.pem`, authority.keyPem, PRIVATE_FILE);
}

interface DevCertificate {
  readonly folder: string;
  readonly role: PeerRole;
  readonly name: string;
  readonly isServer?: boolean;
}

async function issue(layout: KeysLayout, { folder, role, name, isServer }: DevCertificate, by: KeyPair, nowMs: number): Promise<void> {
  const places = isServer === true ? { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', layout.hostAddress] } : { dnsNames: [], ipAddresses: [] };
  const pair = await issueCertificate(by, { role, name, ...places }, { nowMs, ttlMs: INFRASTRUCTURE_TTL_MS });
  await writeKeyPair(`${pkiOf(layout)}/${folder}`, by.certificatePem, pair);
}

export async function writeKeyPair(folder: string, caPem: string, pair: KeyPair): Promise<void> {
  await mkdir(folder, PRIVATE_DIR);
  await writeFile(path.join(folder, 'ca.pem'), caPem);
  await writeFile(path.join(folder, 'key.pem'), pair.keyPem, PRIVATE_FILE);
  // Last: it is what the supervisor waits for before it starts an agent.
  await writeFile(path.join(folder, 'certificate.pem'), pair.certificatePem);
}

function pkiOf({ stateDir }: KeysLayout): string {
  return `${stateDir}/pki`;
}
