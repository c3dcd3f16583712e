import test from 'ava';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import { ClusterError } from '#model/errors.ts';
import { parseNodeId } from '#model/ids.ts';
import type { CallEnd } from '#rpc/call-end.ts';
import { auditLine, sessionRefused } from '../../../../controller/api/audit.ts';
import { T0 } from '../../../support/fake-clock.ts';

const call = (rpc: string, request: unknown, error?: unknown): CallEnd => ({ rpc: `ControlApi.${rpc}`, caller: 'operator alice', address: '10.0.0.1', request, error });
const SECRET = 'hunter2';

const tells = test.macro({
  exec(t, end: CallEnd, object: string, details: object) {
    const line = auditLine(end);
    t.like(line, { caller: 'operator alice', address: '10.0.0.1', rpc: end.rpc, outcome: 'done', object });
    t.deepEqual(line?.details, details);
    t.notRegex(JSON.stringify(line), new RegExp(SECRET));
  },
  title: (name = '', end: CallEnd) => `audited: ${end.rpc} ${name}`,
});

test(tells, call('Apply', { app: { namespace: 'default', name: 'shop', secrets: [{ content: SECRET }] }, isDryRun: false }), 'app/default/shop', { isDryRun: false });
test(tells, call('DeleteApp', { namespace: 'default', app: 'shop', withVolumes: true }), 'app/default/shop', { withVolumes: true });
test(tells, call('RemoveVolume', { namespace: 'default', name: 'data-0', isForced: true }), 'volume/default/data-0', { node: '', isForced: true });
test(tells, call('Scale', { service: 'default/shop/web', replicas: 3 }), 'service/default/shop/web', { replicas: 3 });
test(tells, call('StopTask', { task: 'abc' }), 'task/abc', {});
test(tells, call('PutSecret', { namespace: 'default', name: 'password', content: SECRET }), 'secret/default/password', {});
test(tells, call('CreateToken', { ttlMs: 5, role: 'node' }), '', { ttlMs: 5, role: 'node' });
test(tells, call('SetLabels', { node: 'n1', set: new Map([['zone', SECRET]]), remove: ['old'] }), 'node/n1', { set: ['zone'], remove: ['old'] });
test(tells, call('RemoveNode', { node: 'n1' }), 'node/n1', {});
test(tells, call('OpenTunnel', { task: 'abc', spec: { kind: 'exec', command: ['mysql', `-p${SECRET}`], tty: true, stdin: true, environment: [{ name: 'A', value: SECRET }] } }),
  'task/abc', { kind: 'exec', program: 'mysql', argumentCount: 1, user: '', tty: true });
test('out', tells, call('OpenTunnel', { task: 'abc', spec: { kind: 'copy', direction: 'out', path: '/etc' } }), 'task/abc', { kind: 'copy', direction: 'out', path: '/etc' });

test('debug', tells, call('OpenTunnel', { task: 'abc', spec: { kind: 'debug', image: 'tools:1', command: ['sh', '-c', SECRET], tty: true, stdin: true, environment: [] } }),
  'task/abc', { kind: 'debug', image: 'tools:1', program: 'sh', argumentCount: 2, tty: true });

test('a tunnel that begins has a line of its own, one that only reads has none', t => {
  const begun = (spec: object): CallEnd => ({ ...call('OpenTunnel', { task: 'abc', spec }), isBegun: true });
  t.like(auditLine(begun({ kind: 'attach', stdin: true })), { outcome: 'begun', object: 'task/abc', details: { kind: 'attach', stdin: true } });
  t.is(auditLine(begun({ kind: 'logs' })), undefined);
});

test('a relayed tunnel is audited as the tunnel that it carries', t => {
  const relayed = (spec: object): CallEnd => ({ rpc: 'PeerApi.Relay', caller: 'controller c1', address: '10.0.0.1', request: { task: 'abc', spec }, error: undefined, isBegun: true });
  t.like(auditLine(relayed({ kind: 'exec', command: ['sh', SECRET], tty: true })), { caller: 'controller c1', rpc: 'PeerApi.Relay', object: 'task/abc', outcome: 'begun', details: { kind: 'exec', program: 'sh', argumentCount: 1 } });
  t.is(auditLine(relayed({ kind: 'logs' })), undefined);
  const { isBegun: _, ...ended } = relayed({ kind: 'attach', stdin: false });
  t.like(auditLine({ ...ended, error: new ClusterError('UNAVAILABLE', 'away') }), { outcome: 'UNAVAILABLE', details: { kind: 'attach' } });
});

for (const [rpc, request] of [['View', {}], ['Events', {}], ['ListSecrets', {}], ['OpenTunnel', { task: 'abc', spec: { kind: 'logs' } }]] as const) {
  test(`a read is not audited (${rpc}), its refusal is`, t => {
    t.is(auditLine(call(rpc, request)), undefined);
    t.is(auditLine(call(rpc, request, new ClusterError('UNAVAILABLE', 'away'))), undefined);
    t.like(auditLine(call(rpc, undefined, new ClusterError('PERMISSION_DENIED', 'not yours'))), { outcome: 'PERMISSION_DENIED', message: 'not yours', object: '' });
  });
}

test('a write that failed is audited with its code and request id; a fault of ours tells no more than INTERNAL', t => {
  t.like(auditLine(call('Scale', { requestId: 'r', service: 's', replicas: 1 }, new ClusterError('CONFLICT', 'others'))), { outcome: 'CONFLICT', message: 'others', requestId: 'r' });
  t.like(auditLine(call('Scale', { service: 's', replicas: 1 }, new Error(SECRET))), { outcome: 'INTERNAL', message: '' });
});

test('a renewal after the end names the node that the certificate names', async t => {
  const authority = await createAuthority('test', T0);
  const { certificatePem } = await issueCertificate(authority, { role: 'node', name: 'n1', dnsNames: [], ipAddresses: [] }, { nowMs: T0 });
  const renewal = (pem: string): CallEnd => ({ rpc: 'AgentApi.RenewExpired', caller: '', address: '10.0.0.2', request: { certificatePem: pem, csrPem: '' }, error: undefined });
  t.like(auditLine(renewal(certificatePem)), { object: 'node/n1', outcome: 'done', details: {} });
  t.like(auditLine(renewal('x')), { object: '' });
});

test('a registration that was refused', t => {
  t.like(sessionRefused({ role: 'node', name: 'n1', address: '10.0.0.2' }, parseNodeId('n1'), { code: 'PERMISSION_DENIED', message: 'older' }),
    { caller: 'node n1', object: 'node/n1', rpc: 'AgentApi.Session', outcome: 'PERMISSION_DENIED', message: 'older' });
});
