import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { readCertificate } from '#identity/certificate-rules.ts';
import { completeKeys, createKeys } from '../../../../cli/dev/keys-fs.ts';
import { listMachineCertificates, renewMachineCertificate } from '../../../../controller/identity/machine-certificates-fs.ts';
import { readAuthority, readSealer } from '../../../../controller/identity/authority-fs.ts';
import { T0 } from '../../../support/builders.ts';

const YEAR_MS = 365 * 24 * 3_600_000;
const FOLDERS = ['etcd', 'etcd-client', 'nats', 'operator', 'prometheus', 'registry'];

function layoutIn(t: ExecutionContext) {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'gantry-dev-keys-'));
  t.teardown(() => { rmSync(stateDir, { recursive: true }); });
  return { name: 'dev', stateDir, hostAddress: '10.161.0.1', controllers: [{ name: 'c1', apiPort: 1, joinPort: 2, metricsPort: 3 }] };
}

async function renewAll(pki: string): Promise<void> {
  const found = await listMachineCertificates(pki, (_, error) => { throw error; });
  for (const one of found) await renewMachineCertificate(pki, one, T0 + YEAR_MS / 2);
}

test('a controller of a local cluster can renew every certificate of it', async t => {
  const layout = layoutIn(t);
  const pki = `${layout.stateDir}/pki`;
  await createKeys(layout, T0);
  t.deepEqual(readdirSync(pki, { withFileTypes: true }).filter(entry => entry.isDirectory()).map(({ name }) => name).sort(), FOLDERS);
  await renewAll(pki);
  for (const folder of FOLDERS) t.is(readCertificate(readFileSync(`${pki}/${folder}/certificate.pem`, 'utf8')).notAfterMs, T0 + YEAR_MS / 2 + YEAR_MS, folder);
  await t.notThrowsAsync(readAuthority(pki));
  await t.notThrowsAsync(readSealer(`${pki}/secrets.key`));
  for (const file of ['ca-key.pem', 'etcd-ca-key.pem', 'secrets.key', 'operator/key.pem']) t.is(statSync(`${pki}/${file}`).mode & 0o777, 0o600, file);
});

test('a cluster of an earlier version keeps its CA and its secrets, and gets another CA for etcd', async t => {
  const layout = layoutIn(t);
  const pki = `${layout.stateDir}/pki`;
  await createKeys(layout, T0);
  mkdirSync(`${pki}/c1`);
  for (const file of ['ca-key.pem', 'secrets.key']) renameSync(`${pki}/${file}`, `${pki}/c1/${file}`);
  copyFileSync(`${pki}/ca.pem`, `${pki}/c1/ca.pem`);
  rmSync(`${pki}/etcd-ca-key.pem`);
  const [ca, secrets] = ['ca.pem', 'c1/secrets.key'].map(file => readFileSync(`${pki}/${file}`, 'utf8'));
  await completeKeys(layout, T0);
  t.deepEqual(['ca.pem', 'secrets.key'].map(file => readFileSync(`${pki}/${file}`, 'utf8')), [ca, secrets]);
  await t.notThrowsAsync(renewAll(pki));
  const complete = readFileSync(`${pki}/etcd-ca-key.pem`, 'utf8');
  await completeKeys(layout, T0);
  t.is(readFileSync(`${pki}/etcd-ca-key.pem`, 'utf8'), complete, 'once');
});
