import test from 'ava';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import { explainConnectionFailure, ownCertificateProblem } from '#rpc/connection-failure-parse.ts';

const T0 = 1_767_225_600_000;
const HOUR_MS = 3_600_000;
const authority = await createAuthority('a', T0);
const stranger = await createAuthority('b', T0);
const { certificatePem } = await issueCertificate(authority, { role: 'node', name: 'n1', dnsNames: [], ipAddresses: [] }, { nowMs: T0, ttlMs: HOUR_MS });

const explains = test.macro({
  exec(t, details: string, expected: string) { t.is(explainConnectionFailure('c1:7400', details, undefined), `c1:7400 cannot be reached: ${expected}`); },
  title: (name = '') => `explained: ${name}`,
});
test('no certificate', explains, 'Last error: error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:', 'it asks for a client certificate and we have none');
test('another CA', explains, 'Error: self-signed certificate in certificate chain', 'its certificate is of another certificate authority');
test('expired', explains, 'Error: certificate has expired', 'its certificate has expired');
test('H4: not valid yet', explains, 'Error: certificate is not yet valid', 'its certificate is not valid yet by the clock of this machine');
test('no controller', explains, 'Error: URI:spiffe://gantry/node/n1 is no controller', 'its certificate is not a controller\'s');
test('nobody listens', explains, 'connect ECONNREFUSED 127.0.0.1:1', 'connection refused');
test('anything else is told as it is', explains, ' odd \n', 'odd');

test('our own problem comes first', t => {
  t.is(explainConnectionFailure('c', 'Failed to connect', 'our certificate is bad'), 'c cannot be reached: our certificate is bad');
});

test('our certificate: its first and last moment, and its CA', t => {
  const problem = (nowMs: number, caPem = authority.certificatePem): string | undefined => ownCertificateProblem(certificatePem, caPem, nowMs);
  t.is(problem(T0), undefined);
  t.is(problem(T0 + HOUR_MS - 1), undefined);
  t.is(problem(T0 + HOUR_MS), 'our certificate has expired on 2026-01-01T01:00:00.000Z');
  t.is(problem(T0 - HOUR_MS), 'our certificate is not valid before 2025-12-31T23:55:00.000Z, and the clock of this machine says 2025-12-31T23:00:00.000Z');
  t.is(problem(T0, stranger.certificatePem), 'our certificate is of another certificate authority');
});
