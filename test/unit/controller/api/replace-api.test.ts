import { createHash } from 'node:crypto';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseNodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import type { ReplaceNodeAnswer } from '#model/ports.ts';
import { createAgentApi } from '../../../../controller/api/agent-api.ts';
import type { AgentApiParts } from '../../../../controller/api/agent-api.ts';
import { createReplaceApi } from '../../../../controller/api/replace-api.ts';
import { createIdentityApi } from '../../../../controller/identity/join-api.ts';
import { decodeRemovedNode, encodeNode, encodeService, encodeSessionRecord, encodeTask } from '../../../../controller/store/records.ts';
import { node, service, task, T0 } from '../../../support/builders.ts';
import { MemoryReplica, OPERATOR } from '../../../support/memory-replica.ts';

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');
const N1 = parseNodeId('n1');
const web = service();
const one = task(web, 'n1');

interface Rig {
  readonly replica: MemoryReplica;
  readonly replace: (isForced?: boolean) => Promise<ReplaceNodeAnswer>;
  readonly join: (token: string, nodeName: string) => Promise<unknown>;
  readonly become: (condition: Node['condition'], change?: Partial<Node>) => Promise<void>;
  /** Of the certificates that were issued, in milliseconds. */
  readonly issuedAfterMs: number[];
}

/** n1 with a label and a taint of the operator, a session and a running task. */
async function start(t: ExecutionContext): Promise<Rig> {
  const replica = await MemoryReplica.start(t);
  let tokens = 0;
  const issuedAfterMs: number[] = [];
  const identity = {
    tokens: { make: () => { tokens += 1; return { token: `t${String(tokens)}`, hash: hashOf(`t${String(tokens)}`) }; }, hashOf },
    authority: { caPem: 'CA', sign: (_: string, subject: { readonly issuedAfterMs?: number }) => { issuedAfterMs.push(subject.issuedAfterMs ?? 0); return Promise.resolve('CERT'); } },
  };
  const parts = { ...replica.parts, ...identity };
  const become: Rig['become'] = async (condition, change = {}) => {
    await replica.put({ kind: 'node', id: N1 }, encodeNode({ ...node('n1', { condition, labels: { zone: 'a' } }), taints: ['spot'], availability: 'cordoned', ...change }));
  };
  await become('ready');
  await replica.put({ kind: 'session', id: N1 }, encodeSessionRecord({ node: N1, sessionId: 's', controllerId: 'c1', openedAtMs: T0, instanceNonce: 'x' }));
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  await replica.put({ kind: 'task', id: one.id }, encodeTask(one));
  const api = createReplaceApi(parts);
  const join = createIdentityApi(parts);
  return {
    replica, become, issuedAfterMs,
    replace: async (isForced = false) => await api.replaceNode({ node: N1, ttlMs: 60_000, isForced }, OPERATOR),
    join: async (token, nodeName) => await join.join({ token, nodeName, csrPem: 'CSR' }, '10.0.0.1'),
  };
}

function removedOf({ replica }: Rig): ReturnType<typeof decodeRemovedNode> | undefined {
  const [entry] = replica.etcd.range(['/gantry/v1/removed/n1']);
  return entry === undefined ? undefined : decodeRemovedNode(entry.value);
}

test('a ready node with tasks is cut off by force only, and nothing changes without', async t => {
  const rig = await start(t);
  const refused = await t.throwsAsync(rig.replace());
  t.like(refused, { code: 'FAILED_PRECONDITION' });
  t.regex(refused.message, /^node n1 still has 1 task; .*clusterctl node replace n1 --force$/);
  t.is(removedOf(rig), undefined);
  t.is(rig.replica.state.current.sessions.get(N1)?.value.sessionId, 's');
});

test('the old machine is fenced first: certificate revoked, session ended; the token comes once it is lost, and is for that name', async t => {
  const rig = await start(t);
  t.like(await rig.replace(true), { token: '', pending: 'node n1 is cut off and is not lost yet' });
  t.like(rig.replica.state.current.sessions.get(N1)?.value, { sessionId: '', instanceNonce: '', controllerId: 'c1' }, 'c1 goes on to count the silence');
  t.is(removedOf(rig)?.removedAtMs, T0 + 60_000);
  await rig.become('silent');
  const silent = await rig.replace();
  t.is(silent.token, '');
  t.regex(silent.pending, /^node n1 is silent and may be back at once: it has 1 task/);
  await rig.become('lost');
  const { token } = await rig.replace();
  t.not(token, '');
  t.false(rig.replica.state.current.nodes.has(N1));
  t.like(await t.throwsAsync(rig.join(token, 'n2')), { code: 'FAILED_PRECONDITION', message: 'join token is for node n1, not for n2; join as n1, or create another token: clusterctl token create' });
  await t.notThrowsAsync(rig.join(token, 'n1'));
  const removed = removedOf(rig);
  t.like(removed?.replaced, { availability: 'cordoned', taints: ['spot'] });
  t.is(removed?.replaced?.labels.get('zone'), 'a');
  t.deepEqual(rig.issuedAfterMs, [removed?.removedAtMs], 'the new certificate is the only one that is not revoked');
});

test('a silent node is fenced at once: its agent may not come back under the name', async t => {
  const rig = await start(t);
  await rig.become('silent');
  t.is((await rig.replace()).token, '');
  t.is(removedOf(rig)?.removedAtMs, T0 + 60_000);
  await rig.become('silent', { isLossConfirmed: true, condition: 'lost' });
  t.not((await rig.replace()).token, '');
});

test('asked again after a token, it gives another; a name that was only removed has none', async t => {
  const rig = await start(t);
  await rig.become('lost');
  const [first, second] = [await rig.replace(), await rig.replace()];
  t.true(first.token !== '' && second.token !== '' && first.token !== second.token);
  const other = await start(t);
  await other.replica.delete({ kind: 'node', id: N1 });
  t.like(await t.throwsAsync(other.replace()), { code: 'NOT_FOUND' });
});

test('a token of any name joins under the name too, and inherits nothing', async t => {
  const rig = await start(t);
  await rig.become('lost');
  await rig.replace();
  const { token } = await createIdentityApi({ ...rig.replica.parts, tokens: { make: () => ({ token: 't9', hash: hashOf('t9') }), hashOf }, authority: { caPem: '', sign: () => Promise.resolve('') } })
    .createToken({ ttlMs: 60_000, role: 'node' }, OPERATOR);
  await rig.join(token, 'n1');
  t.is(removedOf(rig)?.replaced, undefined);
});

test('the revoked certificate gets no login of a registry, which its successor\'s tasks need', async t => {
  const rig = await start(t);
  const asked: string[] = [];
  const agents = createAgentApi({
    ...rig.replica.parts, logins: { find: (namespace: string, registry: string) => { asked.push(`${namespace} ${registry}`); return Promise.resolve({ username: 'u', password: 'p' }); } },
  } as unknown as AgentApiParts);
  const registry = one.container.image.slice(0, one.container.image.indexOf('/'));
  const login = async (certifiedAtMs: number): Promise<unknown> => await agents.pullLogin({ namespace: one.namespace, registry }, { role: 'node', name: 'n1', address: '', certifiedAtMs });
  t.like(await login(T0), { password: 'p' });
  await rig.replace(true);
  t.like(await t.throwsAsync(login(T0)), { code: 'FAILED_PRECONDITION' });
  t.is(asked.length, 1);
});
