import { X509Certificate, createPrivateKey } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import type { KeyPair } from '#identity/certificate-authority.ts';
import { readCertificate } from '#identity/certificate-rules.ts';
import type { PeerRole } from '#model/peer-name.ts';
import { MachineCertificatesLoop } from '../../../../controller/identity/machine-certificates-loop.ts';
import { FakeClock, T0 } from '../../../support/fake-clock.ts';
import { silentLogger } from '../../../support/silent-logger.ts';
import { untilNone } from '../../../support/until-none.ts';

const DAY_MS = 24 * 3_600_000;
const YEAR_MS = 365 * DAY_MS;

/** What `clusterctl init` makes, and the folder of an agent on the same machine. */
async function start(t: ExecutionContext) {
  const configDir = mkdtempSync(path.join(tmpdir(), 'gantry-machine-certificates-'));
  const [authority, etcdAuthority] = [await createAuthority('test', T0), await createAuthority('test etcd', T0)];
  writeFileSync(path.join(configDir, 'ca-key.pem'), authority.keyPem);
  writeFileSync(path.join(configDir, 'etcd-ca-key.pem'), etcdAuthority.keyPem);
  const issue = async (folder: string, role: PeerRole, by: KeyPair, ttlMs = YEAR_MS): Promise<void> => {
    const pair = await issueCertificate(by, { role, name: folder, dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', '10.0.0.1'] }, { nowMs: T0, ttlMs });
    mkdirSync(path.join(configDir, folder));
    for (const [name, text] of [['ca.pem', by.certificatePem], ['key.pem', pair.keyPem], ['certificate.pem', pair.certificatePem]] as const) {
      writeFileSync(path.join(configDir, folder, name), text, { mode: 0o600 });
    }
  };
  await issue('etcd', 'server', etcdAuthority);
  await issue('etcd-client', 'controller', etcdAuthority);
  await issue('nats', 'server', authority);
  await issue('operator', 'operator', authority);
  await issue('identity-a', 'node', authority, DAY_MS);
  await issue('strange', 'server', await createAuthority('another', T0));
  symlinkSync('identity-a', path.join(configDir, 'identity'));
  mkdirSync(path.join(configDir, 'empty'));
  mkdirSync(path.join(configDir, 'broken'));
  writeFileSync(path.join(configDir, 'broken/certificate.pem'), 'cut off');
  chmodSync(path.join(configDir, 'nats/certificate.pem'), 0o640);
  const clock = new FakeClock();
  const seen = { refreshes: 0 };
  const loop = new MachineCertificatesLoop({ configDir, refresh: () => { seen.refreshes += 1; return Promise.resolve(); }, clock, log: silentLogger });
  const over = new AbortController();
  const pem = (folder: string, file = 'certificate.pem'): string => readFileSync(path.join(configDir, folder, file), 'utf8');
  const run = (): void => {
    const running = loop.run(over.signal);
    t.teardown(async () => { over.abort(); await running; });
  };
  t.teardown(() => { rmSync(configDir, { recursive: true }); });
  return { configDir, clock, loop, pem, run, seen };
}

test('each certificate of the machine is signed again at two thirds of its life: the same key, names, owner and life', async t => {
  const { configDir, clock, pem, run, seen } = await start(t);
  const folders = ['etcd', 'etcd-client', 'nats', 'operator'];
  const before = new Map(['identity-a', 'strange', ...folders].map(folder => [folder, pem(folder)] as const));
  clock.jumpWall(YEAR_MS * 2 / 3 - DAY_MS);
  run();
  t.deepEqual(await untilNone(() => (seen.refreshes > 0 ? [] : ['no look'])), []);
  t.deepEqual(folders.filter(folder => pem(folder) !== before.get(folder)), [], 'not before');
  clock.jumpWall(2 * DAY_MS);
  t.deepEqual(await untilNone(async () => { await clock.advance(60_000); return folders.filter(folder => pem(folder) === before.get(folder)); }), []);
  for (const folder of folders) {
    const [old, renewed] = [new X509Certificate(before.get(folder) ?? ''), new X509Certificate(pem(folder))];
    t.true(renewed.checkPrivateKey(createPrivateKey(pem(folder, 'key.pem'))), folder);
    t.true(renewed.verify(new X509Certificate(pem(folder, 'ca.pem')).publicKey), folder);
    t.deepEqual([renewed.subject, renewed.subjectAltName, renewed.keyUsage], [old.subject, old.subjectAltName, old.keyUsage], folder);
    const life = (one: X509Certificate): number => one.validToDate.getTime() - one.validFromDate.getTime();
    t.is(life(renewed), life(old), folder);
    t.true(readCertificate(pem(folder)).notAfterMs > T0 + YEAR_MS + YEAR_MS / 2, folder);
    t.deepEqual(readdirSync(path.join(configDir, folder)).sort(), ['ca.pem', 'certificate.pem', 'key.pem'], folder);
  }
  t.is(statSync(path.join(configDir, 'nats/certificate.pem')).mode & 0o777, 0o640);
  t.is(before.get('identity-a'), pem('identity-a'), 'a node asks its controllers, which know what was removed');
  t.is(before.get('strange'), pem('strange'), 'the key of its authority is not here');
});

test('one that has ended is signed again too, and a folder that cannot be read holds nothing up', async t => {
  const { configDir, clock, loop, pem, run } = await start(t);
  writeFileSync(path.join(configDir, 'operator/ca.pem'), 'half a fi');
  clock.jumpWall(2 * YEAR_MS);
  run();
  t.deepEqual(await untilNone(() => ['etcd', 'etcd-client', 'nats'].filter(folder => readCertificate(pem(folder)).notAfterMs < clock.nowMs())), []);
  t.deepEqual(await untilNone(() => (loop.certificates.some(({ folder, notAfterMs }) => folder === 'nats' && notAfterMs > clock.nowMs()) ? [] : ['not seen'])), []);
});
