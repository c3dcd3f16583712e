/** Every write of ControlApi: the same id and request have one answer, the same id and another request are refused. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ControlApiDefinition } from '#gen/gantry/v1/control.ts';
import { appId, parseNodeId } from '#model/ids.ts';
import type { ControlHandlers } from '#model/ports.ts';
import { TEST_TIMES } from '#model/times.ts';
import { RegistryLoginStore } from '../../../../controller/api/registry-login-store.ts';
import { ReplicaLoop } from '../../../../controller/api/replica-loop.ts';
import { SessionTable } from '../../../../controller/api/session-table.ts';
import type { WriteRpc } from '../../../../controller/api/write-once-flow.ts';
import { volumeKey } from '../../../../controller/store/keys.ts';
import { encodeApp, encodeNode, encodeService, encodeStatusRecord, encodeTask, encodeVolume } from '../../../../controller/store/records.ts';
import { app, node, service, status, T0, task, volume } from '../../../support/builders.ts';
import { appOf } from '../../../support/manifest.ts';
import { MemoryReplica, OPERATOR, requestId } from '../../../support/memory-replica.ts';

type Asked<Name extends WriteRpc> = Omit<Parameters<ControlHandlers[Name]>[0], 'requestId'>;
type Rows = { readonly [Name in WriteRpc]: readonly [first: Asked<Name>, other: Asked<Name>] };

const [web, api] = [service({ app: 'front' }), service({ app: 'front', name: 'api' })];
const CRON = { schedule: '@daily', timezone: 'UTC', concurrency: 'forbid', keptSucceeded: 3, keptFailed: 1, isSuspended: false } as const;
const [daily, nightly] = [service({ app: 'front', name: 'daily', kind: 'cron', cron: CRON }), service({ app: 'front', name: 'nightly', kind: 'cron', cron: CRON })];
const [one, two] = [task(web, 'n1'), task(web, 'n1', { slot: 1 })];
const [N1, LOST1, LOST2] = ['n1', 'n8', 'n9'].map(parseNodeId) as [ReturnType<typeof parseNodeId>, ReturnType<typeof parseNodeId>, ReturnType<typeof parseNodeId>];
const N2 = parseNodeId('n2');
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const shop = (name: string, count: number): ReturnType<typeof appOf> =>
  appOf({ apiVersion: 'gantry/v1', kind: 'App', metadata: { name }, services: { web: { image: 'nginx', environment: { COUNT: String(count) } } } });
const login = (registry: string, password: string): Asked<'putRegistryLogin'> => ({ namespace: 'default', registry, username: 'ann', password });

/** A row for each write (its type asks for them); both requests are possible at the start. */
const ROWS: Rows = {
  apply: [{ app: shop('new', 1), isDryRun: false }, { app: shop('new', 2), isDryRun: false }],
  deleteApp: [{ namespace: 'default', app: 'shop', withVolumes: false }, { namespace: 'default', app: 'blog', withVolumes: false }],
  deleteService: [{ service: web.id }, { service: api.id }],
  scale: [{ service: web.id, replicas: 5 }, { service: web.id, replicas: 7 }],
  restart: [{ service: web.id }, { service: web.id, graceMs: 1_000 }],
  changeRollout: [{ service: web.id, action: 'pause' }, { service: api.id, action: 'pause' }],
  undo: [{ namespace: 'default', app: 'shop', toRevision: 1 }, { namespace: 'default', app: 'shop', toRevision: 2 }],
  moveTasks: [{ moves: [{ task: one.id, node: N2 }] }, { moves: [{ task: two.id, node: N2 }] }],
  runCron: [{ service: daily.id }, { service: nightly.id }],
  stopTask: [{ task: one.id }, { task: two.id }],
  updateResources: [{ target: { kind: 'task', task: one.id }, change: { pids: 100 } }, { target: { kind: 'task', task: one.id }, change: { pids: 200 } }],
  setPaused: [{ tasks: [one.id], isPaused: true }, { tasks: [two.id], isPaused: true }],
  putSecret: [{ namespace: 'default', name: 'key', content: bytes('one') }, { namespace: 'default', name: 'key', content: bytes('two') }],
  deleteSecret: [{ namespace: 'default', name: 'spare' }, { namespace: 'default', name: 'spare2' }],
  removeVolume: [{ namespace: 'default', name: 'old', isForced: false }, { namespace: 'default', name: 'older', isForced: false }],
  putNamespace: [{ name: 'team', profile: 'restricted' }, { name: 'team', profile: 'privileged' }],
  deleteNamespace: [{ name: 'closed' }, { name: 'open' }],
  createToken: [{ ttlMs: 1_000, role: 'node' }, { ttlMs: 2_000, role: 'node' }],
  setAvailability: [{ node: N1, availability: 'cordoned' }, { node: N1, availability: 'draining' }],
  setLabels: [{ node: N1, set: new Map([['zone', 'a']]), remove: [] }, { node: N1, set: new Map([['zone', 'b']]), remove: [] }],
  setTaints: [{ node: N1, taints: ['a'] }, { node: N1, taints: ['b'] }],
  confirmLost: [{ node: LOST1 }, { node: LOST2 }],
  removeNode: [{ node: LOST1 }, { node: LOST2 }],
  tagImage: [{ namespace: 'default', source: 'reg.test/app:1', target: 'reg.test/app:2' }, { namespace: 'default', source: 'reg.test/app:1', target: 'reg.test/app:3' }],
  putRegistryLogin: [login('reg.test', 'one'), login('reg.test', 'two')],
  deleteRegistryLogin: [{ namespace: 'default', registry: 'old.test' }, { namespace: 'default', registry: 'older.test' }],
};

/**
 * Rpcs that change nothing which a repetition could change again: a saved plan has an id of its own, a tunnel is never sent twice, and
 * a replacement continues where it was: only its token, for that name alone, is a new one each time.
 */
const READS: readonly string[] = [
  'view', 'watch', 'revisions', 'events', 'watchEvents', 'planMoves', 'listSecrets', 'listVolumes', 'listNamespaces', 'clusterStatus', 'awaitRouted', 'usage', 'plan', 'why',
  'resolveImage', 'listTags', 'listRegistryLogins', 'openTunnel', 'replaceNode', 'renewCertificate',
];

interface Rig {
  readonly replica: MemoryReplica;
  readonly control: ControlHandlers;
  /** All that is stored but the records of requests, with its revisions, and the tags that the registry was given. */
  readonly written: () => readonly string[];
}

async function start(t: ExecutionContext): Promise<Rig> {
  const replica = await MemoryReplica.start(t);
  const { parts, signal } = replica;
  const tags: string[] = [];
  let tokens = 0;
  const unused = (): never => t.fail('not of this test');
  const { control } = new ReplicaLoop({
    ...parts, controllerId: 'c1', version: '0', times: TEST_TIMES, settings: { clusterId: 'c', defaultRegistry: 'docker.io', createdAtMs: T0 }, usage: undefined, log: replica.log, audit: replica.log,
    resolver: {
      ...parts.resolver, listTags: unused, checkLogin: () => Promise.resolve(),
      tag: (image, tag) => { tags.push(`${image.repository}:${tag}`); return Promise.resolve(`sha256:${'a'.repeat(64)}` as never); },
    },
    logins: new RegistryLoginStore(parts), authority: { caPem: '', sign: unused },
    tokens: { make: () => ({ token: `t${String(tokens += 1)}`, hash: String(tokens).repeat(64) }), hashOf: () => undefined },
    lastRenewedMonotonicMs: () => 0, newId: unused, randomBytes: unused, sessions: new SessionTable(),
    peers: { awaitAtPeers: unused, isHeardAt: unused, relay: unused },
  }, signal);
  await seed(replica, control);
  return { replica, control, written: () => [...replica.etcd.range(['/']).filter(({ key }) => !key.includes('/requests/')).map(({ key, modRevision }) => `${key} ${String(modRevision)}`), ...tags] };
}

async function seed(replica: MemoryReplica, control: ControlHandlers): Promise<void> {
  let ids = 100;
  const next = (): string => requestId(ids += 1);
  for (const name of ['n1', 'n2', 'n8', 'n9']) {
    const id = parseNodeId(name);
    await replica.put({ kind: 'node', id }, encodeNode(node(name, name > 'n3' ? { condition: 'lost' } : {})));
  }
  await replica.put({ kind: 'app', id: appId('default', 'front') }, encodeApp(app('front')));
  for (const each of [web, api, daily, nightly]) await replica.put({ kind: 'service', id: each.id }, encodeService(each));
  for (const each of [one, two]) {
    await replica.put({ kind: 'task', id: each.id }, encodeTask(each));
    await replica.put({ kind: 'status', id: each.id }, encodeStatusRecord(status(each)));
  }
  for (const each of [volume('n1', { name: 'old' }), volume('n1', { name: 'older' })]) await replica.put(volumeKey(each), encodeVolume(each));
  for (const count of [1, 2, 3]) await control.apply({ requestId: next(), app: shop('shop', count), isDryRun: false }, OPERATOR);
  await control.apply({ requestId: next(), app: shop('blog', 1), isDryRun: false }, OPERATOR);
  for (const name of ['spare', 'spare2']) await control.putSecret({ requestId: next(), namespace: 'default', name, content: bytes(name) }, OPERATOR);
  for (const name of ['closed', 'open']) await control.putNamespace({ requestId: next(), name, profile: 'restricted' }, OPERATOR);
  for (const registry of ['old.test', 'older.test']) await control.putRegistryLogin({ requestId: next(), ...login(registry, 'x') }, OPERATOR);
}

test('each rpc of ControlApi is a write with a row here, or is named as one that is none', t => {
  const rpcs = Object.keys(ControlApiDefinition.methods);
  t.deepEqual([...Object.keys(ROWS), ...READS].toSorted(), rpcs.toSorted());
  const withId = Object.entries(ControlApiDefinition.methods).filter(([, { requestType }]) => takesRequestId(requestType)).map(([name]) => name);
  t.deepEqual(withId.toSorted(), Object.keys(ROWS).toSorted());
});

/** An id alone becomes bytes only of a message that has the field. */
function takesRequestId(type: { readonly decode: (bytes: Uint8Array) => object; readonly encode: (message: never) => { finish(): Uint8Array } }): boolean {
  return type.encode({ ...type.decode(new Uint8Array()), requestId: 'x' } as never).finish().length > 0;
}

for (const [rpc, [first, other]] of Object.entries(ROWS)) {
  const call = async ({ control }: Rig, id: number, request: object): Promise<unknown> =>
    await (control[rpc as WriteRpc] as (asked: object, peer: typeof OPERATOR) => Promise<unknown>)({ requestId: requestId(id), ...request }, OPERATOR);

  test(`${rpc}: a late repetition gets the first answer and changes nothing, whatever came between`, async t => {
    const rig = await start(t);
    const before = rig.written();
    const answer = await call(rig, 1, first);
    t.notDeepEqual(rig.written(), before, 'the write writes');
    await call(rig, 2, other);
    const after = rig.written();
    t.deepEqual(await call(rig, 1, first), answer);
    t.deepEqual(rig.written(), after);
  });

  test(`${rpc}: the id of another request is refused, and nothing changes`, async t => {
    const rig = await start(t);
    await call(rig, 1, first);
    const after = rig.written();
    t.like(await t.throwsAsync(call(rig, 1, other), { message: /another request was made with it/ }), { code: 'ALREADY_EXISTS' });
    t.deepEqual(rig.written(), after);
  });
}

test('an id names one request of all rpcs', async t => {
  const rig = await start(t);
  await rig.control.deleteService({ requestId: requestId(1), service: web.id }, OPERATOR);
  t.like(await t.throwsAsync(rig.control.restart({ requestId: requestId(1), service: web.id }, OPERATOR)), { code: 'ALREADY_EXISTS' });
});

test('a token of an older client, which sends no id, is one of its own each time', async t => {
  const { control } = await start(t);
  const made = [await control.createToken({ ttlMs: 1_000, role: 'node' }, OPERATOR), await control.createToken({ ttlMs: 1_000, role: 'node' }, OPERATOR)];
  t.is(new Set(made.map(({ token }) => token)).size, 2);
});
