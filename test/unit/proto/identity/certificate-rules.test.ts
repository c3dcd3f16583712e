import 'reflect-metadata';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import test from 'ava';
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509';
import { createAuthority, createSigningRequest, issueCertificate, signRequest } from '#identity/certificate-authority.ts';
import { certificateSha256, CERTIFICATE_TTL_MS, CLOCK_SKEW_MS, isExpired, readCertificate, renewAtMs } from '#identity/certificate-rules.ts';

const T0 = 1_767_225_600_000;
const SUBJECT = { role: 'node', name: 'n1', dnsNames: ['n1.example'], ipAddresses: ['10.0.0.1'] } as const;
const authority = await createAuthority('test cluster', T0);

test('renewal is due when two thirds of the life have passed', t => {
  // It is good from CLOCK_SKEW before its issue on: those minutes are not lived.
  t.is(renewAtMs({ notBeforeMs: 1_000, notAfterMs: 1_000 + CLOCK_SKEW_MS + 3_000 }), 1_000 + CLOCK_SKEW_MS + 2_000);
  t.is(renewAtMs({ notBeforeMs: 1_000, notAfterMs: 4_000 }), 4_000);
});

test('a certificate is expired from its last moment on', t => {
  t.false(isExpired({ notBeforeMs: 0, notAfterMs: 10 }, 9));
  t.true(isExpired({ notBeforeMs: 0, notAfterMs: 10 }, 10));
});

test('an issued certificate lives 24 h, names its peer and hosts, and may serve and call', async t => {
  const issued = await issueCertificate(authority, SUBJECT, { nowMs: T0 });
  t.deepEqual(readCertificate(issued.certificatePem), {
    notBeforeMs: T0 - CLOCK_SKEW_MS, notAfterMs: T0 + CERTIFICATE_TTL_MS, peer: { role: 'node', name: 'n1' },
  });
  const certificate = new X509Certificate(issued.certificatePem);
  t.true(certificate.verify(new X509Certificate(authority.certificatePem).publicKey));
  t.true(certificate.checkPrivateKey(createPrivateKey(issued.keyPem)));
  t.false(certificate.ca);
  t.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  t.is(certificate.checkHost('n1.example'), 'n1.example');
  t.is(certificate.checkIP('10.0.0.1'), '10.0.0.1');
});

test('the CA is a CA that names nobody', t => {
  t.true(new X509Certificate(authority.certificatePem).ca);
  t.false('peer' in readCertificate(authority.certificatePem));
  t.regex(certificateSha256(authority.certificatePem), /^[0-9a-f]{64}$/);
});

test('a request becomes a certificate of its key with the names the controller gives', async t => {
  const { csrPem, keyPem } = await createSigningRequest();
  const certificate = new X509Certificate(await signRequest(authority, csrPem, SUBJECT, { nowMs: T0 }));
  t.true(certificate.checkPrivateKey(createPrivateKey(keyPem)));
  t.regex(certificate.subjectAltName ?? '', /spiffe:\/\/gantry\/node\/n1/);
});

test('a request that asks for names is refused', async t => {
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys, signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [new SubjectAlternativeNameExtension([{ type: 'url', value: 'spiffe://gantry/operator/root' }])],
  });
  t.like(await t.throwsAsync(signRequest(authority, request.toString('pem'), SUBJECT, { nowMs: T0 }), { message: /asks for extensions/ }), { code: 'INVALID_ARGUMENT' });
});

test('a request signed by another key is refused', async t => {
  const { csrPem } = await createSigningRequest();
  const der = Buffer.from(csrPem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  der[der.length - 3] = (der[der.length - 3] ?? 0) ^ 1;
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  t.like(await t.throwsAsync(signRequest(authority, forged, SUBJECT, { nowMs: T0 })), { code: 'INVALID_ARGUMENT', message: 'certificate request: not signed by its own key' });
});

test('a request of another algorithm is refused', async t => {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: algorithm });
  t.like(await t.throwsAsync(signRequest(authority, request.toString('pem'), SUBJECT, { nowMs: T0 }), { message: /not ECDSA P-256/ }), { code: 'INVALID_ARGUMENT' });
});

test('garbage is no request and no certificate', async t => {
  t.like(await t.throwsAsync(signRequest(authority, 'x', SUBJECT, { nowMs: T0 })), { code: 'INVALID_ARGUMENT' });
  t.like(t.throws(() => readCertificate('x')), { code: 'INVALID_ARGUMENT', message: 'not a PEM certificate' });
});
