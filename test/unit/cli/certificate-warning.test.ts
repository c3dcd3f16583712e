import test from 'ava';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import { certificateWarning } from '../../../cli/certificate-warning.ts';
import { T0 } from '../../support/builders.ts';

const DAY_MS = 24 * 3_600_000;

async function certificate(days: number): Promise<string> {
  const authority = await createAuthority('test', T0);
  return (await issueCertificate(authority, { role: 'operator', name: 'ann', dnsNames: [], ipAddresses: [] }, { nowMs: T0, ttlMs: days * DAY_MS })).certificatePem;
}

test('a certificate of a year is announced thirty days before its end, with the command that renews it', async t => {
  const pem = await certificate(365);
  t.is(certificateWarning('prod', pem, T0), undefined);
  t.is(certificateWarning('prod', pem, T0 + 334 * DAY_MS), undefined);
  t.is(certificateWarning('prod', pem, T0 + 336 * DAY_MS), "warning: the certificate of context 'prod' ends at 2027-01-01T00:00:00.000Z; renew it with: clusterctl context renew prod");
});

test('one that lives shorter is announced when a third of its life is left', async t => {
  const pem = await certificate(3);
  t.is(certificateWarning('prod', pem, T0 + 2 * DAY_MS - 60_000), undefined);
  t.regex(certificateWarning('prod', pem, T0 + 2 * DAY_MS) ?? '', /ends at 2026-01-04T00:00:00.000Z; renew it with/);
});

test('one that has ended opens no connection to renew it: the warning says where another one is', async t => {
  t.is(certificateWarning('prod', await certificate(3), T0 + 3 * DAY_MS), "warning: the certificate of context 'prod' ended at 2026-01-04T00:00:00.000Z; copy the one of /etc/gantry/operator from a controller's machine");
});
