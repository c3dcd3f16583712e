import test from 'ava';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import { AUTHORITY_TTL_MS, readCertificate } from '#identity/certificate-rules.ts';
import type { PeerRole } from '#model/peer-name.ts';
import { certificateEnds } from '../../../../controller/identity/certificate-ends.ts';
import type { MachineCertificate } from '../../../../controller/identity/machine-certificates-fs.ts';
import { T0 } from '../../../support/builders.ts';

const HOUR_MS = 3_600_000;

test('every certificate is listed once, with its end and with the time of its renewal; no program renews an authority', async t => {
  const [authority, etcdAuthority] = [await createAuthority('test', T0), await createAuthority('test etcd', T0)];
  const issue = async (role: PeerRole, hours: number) => await issueCertificate(authority, { role, name: role, dnsNames: [], ipAddresses: [] }, { nowMs: T0, ttlMs: hours * HOUR_MS });
  const inFolder = async (folder: string, hours: number): Promise<MachineCertificate> => {
    const { certificatePem } = await issue('server', hours);
    return { folder, certificatePem, ...readCertificate(certificatePem) };
  };
  const shown = await issue('controller', 30);
  const pem = (text: string): Buffer => Buffer.from(text);
  const ends = certificateEnds({
    own: { caPem: authority.certificatePem, pair: await issue('controller', 3) },
    etcd: { caPem: pem(etcdAuthority.certificatePem), certificatePem: pem(shown.certificatePem), keyPem: pem(shown.keyPem) },
    machine: [await inFolder('etcd', 6), await inFolder('etcd-client', 9), await inFolder('nats', 12)],
  });
  t.deepEqual(new Map(ends.map(({ certificate, notAfterMs, renewAtMs }) => [certificate, [notAfterMs - T0, renewAtMs === undefined ? undefined : renewAtMs - T0]])), new Map([
    ['etcd', [6 * HOUR_MS, 4 * HOUR_MS]],
    ['etcd-client', [30 * HOUR_MS, 20 * HOUR_MS]],
    ['nats', [12 * HOUR_MS, 8 * HOUR_MS]],
    ['controller', [3 * HOUR_MS, 2 * HOUR_MS]],
    ['ca', [AUTHORITY_TTL_MS, undefined]],
    ['etcd-ca', [AUTHORITY_TTL_MS, undefined]],
  ]));
});

test('a certificate that cannot be read hides no other one', async t => {
  const authority = await createAuthority('test', T0);
  const broken = Buffer.from('cut off');
  const ends = certificateEnds({ own: { caPem: authority.certificatePem }, etcd: { caPem: broken, certificatePem: broken, keyPem: broken }, machine: [] });
  t.deepEqual(ends.map(({ certificate }) => certificate), ['ca']);
});
