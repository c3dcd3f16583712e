import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { createAuthority, createSigningRequest, issueCertificate, requestForKey } from '#identity/certificate-authority.ts';
import type { KeyPair } from '#identity/certificate-authority.ts';
import { CLOCK_SKEW_MS, readCertificate } from '#identity/certificate-rules.ts';
import { parseNodeId } from '#model/ids.ts';
import type { PeerRole } from '#model/peer-name.ts';
import type { Peer } from '#model/ports.ts';
import { createNodeApi } from '../../../../controller/api/node-api.ts';
import { requireValidNode } from '../../../../controller/api/revocation-flow.ts';
import { certificateAuthority } from '../../../../controller/identity/authority-fs.ts';
import { createIdentityApi } from '../../../../controller/identity/join-api.ts';
import type { JoinTokens } from '../../../../controller/identity/ports.ts';
import { encodeNode, encodeRemovedNode, encodeSessionRecord } from '../../../../controller/store/records.ts';
import { node, T0 } from '../../../support/builders.ts';
import { settle } from '../../../support/fake-clock.ts';
import { MemoryReplica, OPERATOR } from '../../../support/memory-replica.ts';

/** Tokens `t1`, `t2`, ...; whatever does not begin with t is of no cluster. */
function numberedTokens(): JoinTokens {
  const hash = (token: string): string => createHash('sha256').update(token).digest('hex');
  let count = 0;
  return {
    make: () => { count += 1; return { token: `t${String(count)}`, hash: hash(`t${String(count)}`) }; },
    hashOf: token => (token.startsWith('t') ? hash(token) : undefined),
  };
}

async function start(t: ExecutionContext): Promise<{ readonly replica: MemoryReplica; readonly api: ReturnType<typeof createIdentityApi>; readonly signed: string[] }> {
  const replica = await MemoryReplica.start(t);
  const signed: string[] = [];
  const authority = { caPem: 'CA', sign: (_csr: string, subject: { readonly role: string; readonly name: string }) => { signed.push(`${subject.role} ${subject.name}`); return Promise.resolve('CERT'); } };
  return { replica, signed, api: createIdentityApi({ ...replica.parts, authority, tokens: numberedTokens() }) };
}
const request = (token: string, nodeName = 'n1') => ({ token, nodeName, csrPem: 'CSR' });

test('a token makes one node, whose name and role the controller sets', async t => {
  const { api, signed } = await start(t);
  const { token } = await api.createToken({ ttlMs: 60_000, role: 'node' }, OPERATOR);
  t.like(await api.join(request(token), '10.0.0.1'), { certificatePem: 'CERT', caPem: 'CA' });
  t.deepEqual(signed, ['node n1']);
  t.like(await t.throwsAsync(api.join(request(token, 'n2'), '10.0.0.1'), { message: /already used at 2026-01-01T00:00:00.000Z by node n1/ }), { code: 'UNAUTHENTICATED' });
  t.deepEqual(signed, ['node n1']);
});

test('of two that use it at once one joins', async t => {
  const { api, signed } = await start(t);
  const { token } = await api.createToken({ ttlMs: 60_000, role: 'node' }, OPERATOR);
  const outcomes = await Promise.allSettled(['n1', 'n2'].map(async name => await api.join(request(token, name), '10.0.0.1')));
  t.deepEqual(outcomes.map(outcome => outcome.status).toSorted(), ['fulfilled', 'rejected']);
  t.is(signed.length, 1);
});

test('one that is over, one that never was and no token at all are refused in the same words', async t => {
  const { api, replica } = await start(t);
  const { token } = await api.createToken({ ttlMs: 60_000, role: 'node' }, OPERATOR);
  await replica.clock.advance(60_000);
  const messages = await Promise.all([token, 't99', 'x'].map(async text => (await t.throwsAsync(api.join(request(text), '10.0.0.1'))).message));
  t.is(new Set(messages).size, 1);
});

test('five wrong ones in a minute, then the address waits; others do not', async t => {
  const { api, replica } = await start(t);
  const { token } = await api.createToken({ ttlMs: 600_000, role: 'node' }, OPERATOR);
  for (let tries = 0; tries < 5; tries += 1) {
    t.like(await t.throwsAsync(api.join(request('x'), '10.0.0.1')), { code: 'UNAUTHENTICATED' });
  }
  t.like(await t.throwsAsync(api.join(request(token), '10.0.0.1'), { message: /try again in 60 s/ }), { code: 'RESOURCE_EXHAUSTED' });
  await t.notThrowsAsync(api.join(request(token), '10.0.0.2'));
  await replica.clock.advance(60_000);
  t.like(await t.throwsAsync(api.join(request('x'), '10.0.0.1')), { code: 'UNAUTHENTICATED' });
});

test('a name that is no label costs no token', async t => {
  const { api } = await start(t);
  const { token } = await api.createToken({ ttlMs: 60_000, role: 'node' }, OPERATOR);
  t.like(await t.throwsAsync(api.join(request(token, '../n1'), '10.0.0.1')), { code: 'INVALID_ARGUMENT' });
  await t.notThrowsAsync(api.join(request(token), '10.0.0.1'));
});

test('a token lives an hour at most, and is an operator\'s to make', async t => {
  const { api } = await start(t);
  for (const ttlMs of [0, -1, 3_600_001, Number.NaN, 1.5]) {
    t.like(await t.throwsAsync(api.createToken({ ttlMs, role: 'node' }, OPERATOR)), { code: 'INVALID_ARGUMENT' });
  }
  t.like(await t.throwsAsync(api.createToken({ ttlMs: 1_000, role: 'node' }, { ...OPERATOR, role: 'node' })), { code: 'PERMISSION_DENIED' });
  t.like(await t.throwsAsync(api.renew('CSR', OPERATOR)), { code: 'PERMISSION_DENIED' });
});

test('B15: etcd took the token and its answer was lost: the node joins, and nobody else with that token', async t => {
  const { api, replica, signed } = await start(t);
  const { token } = await api.createToken({ ttlMs: 60_000, role: 'node' }, OPERATOR);
  replica.store.swallowAnswers = 1;
  t.like(await api.join(request(token), '10.0.0.1'), { certificatePem: 'CERT' });
  t.like(await t.throwsAsync(api.join(request(token), '10.0.0.1')), { code: 'UNAUTHENTICATED' });
  t.deepEqual(signed, ['node n1']);
});

test('B15: a token whose write stays unclear is UNAVAILABLE, which says what to do', async t => {
  const { api, replica } = await start(t);
  replica.store.swallowWrites = Number.POSITIVE_INFINITY;
  t.like(await t.throwsAsync(api.createToken({ ttlMs: 60_000, role: 'node' }, OPERATOR), { message: /look whether it was, then try again$/ }), { code: 'UNAVAILABLE' });
});

test('a token never takes over a node of the cluster: the join is refused, costs no token and changes nothing', async t => {
  const { api, replica, signed } = await start(t);
  await replica.put({ kind: 'node', id: parseNodeId('n1') }, encodeNode(node('n1')));
  await replica.put({ kind: 'session', id: parseNodeId('n1') }, encodeSessionRecord({ node: parseNodeId('n1'), sessionId: 's', controllerId: 'c1', openedAtMs: T0, instanceNonce: 'x' }));
  const before = [...replica.etcd.range(['/gantry/v1/sessions/', '/gantry/v1/nodes/', '/gantry/v1/removed/'])];
  const { token } = await api.createToken({ ttlMs: 60_000, role: 'node' }, OPERATOR);
  const refused = await t.throwsAsync(api.join(request(token), '10.0.0.1'));
  t.like(refused, { code: 'ALREADY_EXISTS' });
  t.regex(refused.message, /^node n1 exists already; .*clusterctl node replace n1.*clusterctl node rm n1/);
  t.deepEqual(signed, []);
  t.deepEqual([...replica.etcd.range(['/gantry/v1/sessions/', '/gantry/v1/nodes/', '/gantry/v1/removed/'])], before);
  t.like(await api.join(request(token, 'n2'), '10.0.0.1'), { certificatePem: 'CERT' });
});

const HOUR_MS = 3_600_000;

/** A cluster with node n1, of a day ago: what was good for an hour then has ended. */
async function expiredNode(t: ExecutionContext) {
  const replica = await MemoryReplica.start(t);
  await replica.put({ kind: 'node', id: parseNodeId('n1') }, encodeNode(node('n1')));
  const keys = await createAuthority('test', T0);
  const authority = certificateAuthority(keys, replica.clock, HOUR_MS);
  const api = createIdentityApi({ ...replica.parts, authority, tokens: numberedTokens() });
  const of = async (name: string, role: PeerRole = 'node', by = keys): Promise<KeyPair> => await issueCertificate(by, { role, name, dnsNames: [], ipAddresses: [] }, { nowMs: T0, ttlMs: HOUR_MS });
  const pair = await of('n1');
  await replica.clock.advance(24 * HOUR_MS);
  const renew = async ({ certificatePem, keyPem }: KeyPair, address = '10.0.0.1') => await api.renewExpired({ certificatePem, csrPem: await requestForKey(keyPem) }, address);
  return { replica, api, keys, of, pair, renew };
}

test('a listed node whose certificate has ended gets another one for its key, and for nobody else', async t => {
  const { api, of, pair, renew, replica } = await expiredNode(t);
  const issued = await renew(pair);
  t.like(readCertificate(issued.certificatePem), { peer: { role: 'node', name: 'n1' }, notAfterMs: replica.clock.nowMs() + HOUR_MS });
  const other = await of('n2');
  const refused = [
    api.renewExpired({ certificatePem: pair.certificatePem, csrPem: (await createSigningRequest()).csrPem }, '10.0.0.1'),
    api.renewExpired({ certificatePem: pair.certificatePem, csrPem: await requestForKey(other.keyPem) }, '10.0.0.1'),
    api.renewExpired({ certificatePem: pair.certificatePem, csrPem: 'x' }, '10.0.0.1'),
    renew(await of('n1', 'node', await createAuthority('test', T0)), '10.0.0.2'),
    renew(await of('n1', 'operator'), '10.0.0.2'),
    renew(await of('n1', 'controller'), '10.0.0.2'),
    api.renewExpired({ certificatePem: 'x'.repeat(100_000), csrPem: 'x' }, '10.0.0.2'),
  ];
  for (const call of refused) t.like(await t.throwsAsync(call), { code: 'UNAUTHENTICATED' });
});

test('a node that was removed, replaced or never registered gets no other certificate', async t => {
  const { of, pair, renew, replica } = await expiredNode(t);
  t.like(await t.throwsAsync(renew(await of('n2'))), { code: 'NOT_FOUND' });
  // Replaced: the name is that of another machine.
  await replica.put({ kind: 'removed-node', id: parseNodeId('n1') }, encodeRemovedNode({ node: parseNodeId('n1'), removedAtMs: T0 + HOUR_MS }));
  t.like(await t.throwsAsync(renew(pair), { message: /^node n1 was removed from the cluster; .*join it again/ }), { code: 'PERMISSION_DENIED' });
  await replica.delete({ kind: 'node', id: parseNodeId('n1') });
  t.like(await t.throwsAsync(renew(pair)), { code: 'PERMISSION_DENIED' });
});

const nodePeer = (certifiedAtMs: number): Peer => ({ role: 'node', name: 'n1', address: '10.0.0.1', certifiedAtMs });
const datedAtMs = (pem: string): number => readCertificate(pem).notBeforeMs + CLOCK_SKEW_MS;

test('a node that is removed while its certificate is signed does not get it', async t => {
  const { keys, of, replica } = await expiredNode(t);
  const [pair, authority] = [await of('n1'), certificateAuthority(keys, replica.clock, HOUR_MS)];
  const sign: typeof authority.sign = async (...given) => {
    await replica.put({ kind: 'removed-node', id: parseNodeId('n1') }, encodeRemovedNode({ node: parseNodeId('n1'), removedAtMs: replica.clock.nowMs() }));
    // The signature takes a while.
    await replica.clock.advance(2_000);
    return await authority.sign(...given);
  };
  const api = createIdentityApi({ ...replica.parts, authority: { ...authority, sign }, tokens: numberedTokens() });
  const csrPem = await requestForKey(pair.keyPem);
  t.like(await t.throwsAsync(api.renew(csrPem, nodePeer(T0))), { code: 'FAILED_PRECONDITION' });
  await replica.delete({ kind: 'removed-node', id: parseNodeId('n1') });
  t.like(await t.throwsAsync(api.renewExpired({ certificatePem: pair.certificatePem, csrPem }, '10.0.0.1')), { code: 'PERMISSION_DENIED' });
});

test('a removal that was decided before a renewal and written after it revokes that certificate too', async t => {
  const { api, pair, replica } = await expiredNode(t);
  const written = Promise.withResolvers<undefined>();
  const late = replica.etcd.connect();
  const transact = late.transact.bind(late);
  late.transact = async (...given) => { await written.promise; return await transact(...given); };
  await replica.put({ kind: 'node', id: parseNodeId('n1') }, encodeNode(node('n1', { condition: 'lost' })));
  const removal = createNodeApi({ ...replica.parts, store: late }).removeNode({ requestId: '00000000-0000-4000-8000-000000000001', node: parseNodeId('n1') }, OPERATOR);
  await settle();
  await replica.clock.advance(5_000);
  const { certificatePem } = await api.renew(await requestForKey(pair.keyPem), nodePeer(T0));
  written.resolve(undefined);
  await removal;
  t.like(await t.throwsAsync(requireValidNode(nodePeer(datedAtMs(certificatePem)), replica.store, replica.signal)), { code: 'FAILED_PRECONDITION' });
});

test('a node that joined right after a removal renews a certificate that is not revoked', async t => {
  const { api, replica } = await expiredNode(t);
  await replica.put({ kind: 'node', id: parseNodeId('n1') }, encodeNode(node('n1', { condition: 'lost' })));
  await createNodeApi(replica.parts).removeNode({ requestId: '00000000-0000-4000-8000-000000000001', node: parseNodeId('n1') }, OPERATOR);
  const { token } = await api.createToken({ ttlMs: 60_000, role: 'node' }, OPERATOR);
  const { csrPem } = await createSigningRequest();
  const joined = await api.join({ token, nodeName: 'n1', csrPem }, '10.0.0.1');
  const renewed = await api.renew(csrPem, nodePeer(datedAtMs(joined.certificatePem)));
  await t.notThrowsAsync(requireValidNode(nodePeer(datedAtMs(renewed.certificatePem)), replica.store, replica.signal));
});

test('an operator gets a certificate of its own name and life, for the key of the request; a node gets none', async t => {
  const { api, of, replica } = await expiredNode(t);
  const { keyPem } = await of('ann', 'operator');
  const csrPem = await requestForKey(keyPem);
  const { certificatePem } = await api.renewCertificate({ csrPem }, { ...OPERATOR, certificateLifeMs: 9 * HOUR_MS });
  t.like(readCertificate(certificatePem), { peer: { role: 'operator', name: 'ann' }, notAfterMs: replica.clock.nowMs() + 9 * HOUR_MS });
  t.true(new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem)));
  t.like(await t.throwsAsync(api.renewCertificate({ csrPem }, { ...OPERATOR, role: 'node' })), { code: 'PERMISSION_DENIED' });
  t.like(await t.throwsAsync(api.renewCertificate({ csrPem: 'x' }, OPERATOR)), { code: 'INVALID_ARGUMENT' });
});

test('an address has five wrong certificates a minute, a node five renewals', async t => {
  const { api, of, pair, renew, replica } = await expiredNode(t);
  await replica.put({ kind: 'node', id: parseNodeId('n2') }, encodeNode(node('n2')));
  for (let tries = 0; tries < 5; tries += 1) {
    t.like(await t.throwsAsync(api.renewExpired({ certificatePem: 'x', csrPem: 'x' }, '10.0.0.1')), { code: 'UNAUTHENTICATED' });
  }
  t.like(await t.throwsAsync(renew(pair), { message: /try again in 60 s/ }), { code: 'RESOURCE_EXHAUSTED' });
  for (let tries = 0; tries < 5; tries += 1) await t.notThrowsAsync(renew(pair, '10.0.0.2'));
  t.like(await t.throwsAsync(renew(pair, '10.0.0.2'), { message: /^too many renewals of node\/n1; try again in 60 s/ }), { code: 'RESOURCE_EXHAUSTED' });
  await t.notThrowsAsync(renew(await of('n2'), '10.0.0.2'));
  await replica.clock.advance(60_000);
  await t.notThrowsAsync(renew(pair));
});
