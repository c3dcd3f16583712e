import test from 'ava';
import type { ExecutionContext } from 'ava';
import { createAuthority, issueCertificate, signRequest } from '#identity/certificate-authority.ts';
import { readCertificate } from '#identity/certificate-rules.ts';
import { ClusterError } from '#model/errors.ts';
import { CertificateLoop } from '../../../agent/certificate-loop.ts';
import type { NodeIdentity } from '../../../agent/identity-fs.ts';
import { FakeClock, T0 } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { untilNone } from '../../support/until-none.ts';

const HOUR_MS = 3_600_000;
const SUBJECT = { role: 'node', name: 'n1', dnsNames: [], ipAddresses: [] } as const;

/** A node with a certificate of an hour. `answer` is asked at every renewal after the end. */
async function start(t: ExecutionContext, { session, answer }: { session?: string; answer?: (address: string) => void } = {}) {
  const clock = new FakeClock();
  const authority = await createAuthority('test', T0);
  const first: NodeIdentity = { caPem: authority.certificatePem, ...await issueCertificate(authority, SUBJECT, { nowMs: T0, ttlMs: HOUR_MS }) };
  const seen = { calls: [] as string[], adopted: [] as NodeIdentity[], refused: [] as string[] };
  const sign = async (csrPem: string) => ({ caPem: authority.certificatePem, certificatePem: await signRequest(authority, csrPem, SUBJECT, { nowMs: clock.nowMs(), ttlMs: HOUR_MS }) });
  const loop = new CertificateLoop({
    dialer: {
      renew: async (address, csrPem) => { seen.calls.push(`renew ${address}`); return await sign(csrPem); },
      renewExpired: async (address, csrPem) => { seen.calls.push(`expired ${address}`); answer?.(address); return await sign(csrPem); },
    },
    controllerAddress: () => session, joinAddresses: () => ['c1:7403', 'c2:7403'],
    refused: message => { seen.refused.push(message); return Promise.resolve(); },
    adopt: identity => { seen.adopted.push(identity); return Promise.resolve(); }, clock, log: silentLogger,
  }, first);
  const over = new AbortController();
  const running = loop.run(over.signal);
  t.teardown(async () => { over.abort(); await running; });
  return { clock, first, seen };
}

/** Keys are made and signed on other threads, which no clock of a test moves. */
const until = async (isThere: () => boolean): Promise<readonly string[]> => await untilNone(() => (isThere() ? [] : ['not there yet']));

test('a certificate is renewed by the session at two thirds of its life, with a new key', async t => {
  const { clock, first, seen } = await start(t, { session: 'c1:7400' });
  await clock.advance(HOUR_MS * 2 / 3 - 1_000);
  t.deepEqual(seen.calls, []);
  await clock.advance(2_000);
  t.deepEqual(await until(() => seen.adopted.length > 0), []);
  t.deepEqual(seen.calls, ['renew c1:7400']);
  t.not(seen.adopted[0]?.keyPem, first.keyPem);
});

test('one that has ended without a session is renewed at the first join listener that answers, for the same key', async t => {
  const { clock, first, seen } = await start(t, { answer: address => { if (address === 'c1:7403') throw new ClusterError('UNAVAILABLE', 'dead'); } });
  await clock.advance(HOUR_MS - 1_000);
  t.deepEqual(seen.calls, [], 'not before its end');
  await clock.advance(60_000);
  t.deepEqual(await until(() => seen.adopted.length > 0), []);
  t.deepEqual(seen.calls.slice(0, 2), ['expired c1:7403', 'expired c2:7403']);
  t.is(seen.adopted[0]?.keyPem, first.keyPem);
  t.true(readCertificate(seen.adopted[0]?.certificatePem ?? '').notAfterMs > clock.nowMs());
  t.deepEqual(seen.refused, []);
});

test('a node that was removed learns it; other failures are tried again', async t => {
  const answers = [new ClusterError('UNAVAILABLE', 'dead'), new ClusterError('FAILED_PRECONDITION', 'an older controller'), new ClusterError('PERMISSION_DENIED', 'node n1 was removed')];
  const { clock, seen } = await start(t, { answer: () => { throw answers.shift() ?? new ClusterError('PERMISSION_DENIED', 'node n1 was removed'); } });
  await clock.advance(HOUR_MS);
  t.deepEqual(await until(() => seen.calls.length >= 2), []);
  t.deepEqual(seen.refused, []);
  t.deepEqual(await untilNone(async () => { await clock.advance(10_000); return seen.refused.length > 0 ? [] : ['not refused']; }), []);
  t.is(seen.refused[0], 'node n1 was removed');
  t.deepEqual(seen.adopted, []);
});
