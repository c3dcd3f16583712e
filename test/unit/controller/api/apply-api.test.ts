import test from 'ava';
import type { AppSpec } from '#model/app.ts';
import { createApply } from '../../../../controller/api/apply-api.ts';
import { createServiceApi } from '../../../../controller/api/service-api.ts';
import { encodeService, encodeServiceStatus } from '../../../../controller/store/records.ts';
import { ClusterError } from '#model/errors.ts';
import { serviceId } from '#model/ids.ts';
import { appOf, manifest } from '../../../support/manifest.ts';
import { T0 } from '../../../support/builders.ts';
import { encodeNamespace } from '../../../../controller/store/records.ts';
import { MemoryReplica, OPERATOR, requestId } from '../../../support/memory-replica.ts';

/** An App of one service `web` with these keys. */
function spec(name: string, web: object = {}, rest: object = {}): AppSpec {
  return appOf({ apiVersion: 'gantry/v1', kind: 'App', metadata: { name }, services: { web: { image: 'nginx', ...web } }, ...rest });
}
/** All that is wanted, with its revisions: what only remembers a request does not count. */
const desired = (replica: MemoryReplica): readonly string[] =>
  replica.etcd.range(['/gantry/v1/apps/', '/gantry/v1/revisions/', '/gantry/v1/services/']).map(({ key, modRevision }) => `${key} ${String(modRevision)}`);
const apply = async (replica: MemoryReplica, id: number, app: AppSpec, isDryRun = false): ReturnType<ReturnType<typeof createApply>> =>
  await createApply(replica.parts)({ requestId: requestId(id), app, isDryRun }, OPERATOR);

test('an App lands whole: record, Revision, services, with digest and virtual IP', async t => {
  const replica = await MemoryReplica.start(t);
  t.like(await apply(replica, 1, spec('shop')), { revision: 1, isChanged: true, services: [{ name: 'web', change: 'created' }] });
  t.deepEqual(replica.keys('apps/'), ['apps/default/shop']);
  t.deepEqual(replica.keys('revisions/'), ['revisions/default/shop/0000000001']);
  const service = replica.state.current.services.get(serviceId('default', 'shop', 'web'))?.value;
  t.is(service?.virtualIp, '10.160.0.1');
  t.regex(service?.spec.container.digest ?? '', /^sha256:/);
});

test('the same App again changes nothing; a change makes the next Revision', async t => {
  const replica = await MemoryReplica.start(t);
  await apply(replica, 1, spec('shop'));
  const before = desired(replica);
  t.like(await apply(replica, 2, spec('shop')), { revision: 1, isChanged: false });
  t.deepEqual(desired(replica), before);
  t.like(await apply(replica, 3, spec('shop', { replicas: 2 })), { revision: 2, services: [{ name: 'web', change: 'updated' }] });
});

test('after a rollback the App in force is unchanged, and the answer says so; what was rolled back can be applied again', async t => {
  const replica = await MemoryReplica.start(t);
  await apply(replica, 1, spec('shop'));
  const id = serviceId('default', 'shop', 'web');
  const good = replica.state.current.services.get(id)!.value;
  await apply(replica, 2, spec('shop', { environment: { BAD: '1' } }));
  await replica.put({ kind: 'service', id }, encodeService(good));
  const rollout = { state: 'rolled_back', reason: 'x', revision: 2, startedAtMs: 0 } as const;
  await replica.put({ kind: 'service-status', id }, encodeServiceStatus({ id, settledRevision: 1, rollout, pending: [], crashLoops: [] }));
  t.like(await apply(replica, 3, spec('shop')), {
    revision: 2, isChanged: false, services: [{ name: 'web', change: 'unchanged', revision: 1 }],
    warnings: ['service web: revision 2 was rolled back; revision 1, which is in force, equals this manifest'],
  });
  t.like(await apply(replica, 4, spec('shop', { environment: { BAD: '1' } })), { revision: 3, isChanged: true, services: [{ name: 'web', change: 'updated', revision: 3 }] });
});

test('a dry run says the same and writes nothing', async t => {
  const replica = await MemoryReplica.start(t);
  const before = replica.etcd.etcdRevision;
  const dry = await apply(replica, 1, spec('shop'), true);
  t.is(replica.etcd.etcdRevision, before);
  t.deepEqual(await apply(replica, 1, spec('shop')), dry);
});

test('one request id is one change, and answers the same', async t => {
  const replica = await MemoryReplica.start(t);
  const first = await apply(replica, 1, spec('shop'));
  t.deepEqual(await apply(replica, 1, spec('shop')), first);
  t.like(await t.throwsAsync(apply(replica, 1, spec('shop', { replicas: 5 }))), { code: 'ALREADY_EXISTS' });
  t.is(replica.keys('revisions/').length, 1);
});

test('a repeated request is answered while no registry is', async t => {
  const replica = await MemoryReplica.start(t);
  const first = await apply(replica, 1, spec('shop'));
  const away = { resolve: () => Promise.reject(new ClusterError('UNAVAILABLE', 'the registry is away')) };
  const again = createApply({ ...replica.parts, resolver: { ...replica.parts.resolver, ...away } });
  t.deepEqual(await again({ requestId: requestId(1), app: spec('shop'), isDryRun: false }, OPERATOR), first);
  t.like(await t.throwsAsync(again({ requestId: requestId(2), app: spec('shop', { image: 'other' }), isDryRun: false }, OPERATOR)), {
    violations: [{ path: 'services.web.image', message: "the registry is away; 'other' names no registry, so docker.io/library/other:latest was tried: push it there, or write the registry in front of it, as in registry.example:5000/other" }],
  });
});

test('a service that is left out is being deleted; the App cannot be applied while it is', async t => {
  const replica = await MemoryReplica.start(t);
  await apply(replica, 1, spec('shop', {}, { services: { web: { image: 'nginx' }, api: { image: 'nginx' } } }));
  t.like(await apply(replica, 2, spec('shop')), { services: [{ name: 'web', change: 'unchanged' }, { name: 'api', change: 'removed' }] });
  await createServiceApi(replica.parts).deleteApp({ requestId: requestId(3), namespace: 'default', app: 'shop', withVolumes: false }, OPERATOR);
  t.like(await t.throwsAsync(apply(replica, 4, spec('shop', { replicas: 7 }))), { code: 'FAILED_PRECONDITION' });
});

test('what is wrong is told with its path, and nothing is written', async t => {
  const replica = await MemoryReplica.start(t);
  const before = replica.etcd.etcdRevision;
  const good = spec('shop');
  const bad = { ...good, services: good.services.map(service => ({ ...service, replicas: -1 })) };
  t.like(await t.throwsAsync(apply(replica, 1, bad)), { code: 'INVALID_ARGUMENT', violations: [{ path: 'services.web.replicas' }] });
  const external = spec('shop', { secrets: ['key'] }, { secrets: { key: { external: true } } });
  t.like(await t.throwsAsync(apply(replica, 2, external)), { code: 'INVALID_ARGUMENT', violations: [{ path: 'secrets.key' }] });
  t.is(replica.etcd.etcdRevision, before);
});

test('a port that another App publishes is refused, before any content is written', async t => {
  const replica = await MemoryReplica.start(t);
  await apply(replica, 1, spec('one', { ports: ['80:80'] }));
  const before = replica.etcd.etcdRevision;
  const two = spec('two', { ports: ['80:80'], configs: [{ source: 'c', target: '/c' }] }, { configs: { c: { content: 'x' } } });
  t.like(await t.throwsAsync(apply(replica, 2, two)), { code: 'INVALID_ARGUMENT', violations: [{ path: 'services.web.ports[0].published' }] });
  await t.throwsAsync(apply(replica, 3, two, true), undefined, 'a dry run says so too');
  t.is(replica.etcd.etcdRevision, before);
});

test('of two Apps that publish one port at once, through two replicas, one wins', async t => {
  const one = await MemoryReplica.start(t);
  const two = await MemoryReplica.start(t, one);
  const outcomes = await Promise.allSettled([apply(one, 1, spec('one', { ports: ['80:80'] })), apply(two, 2, spec('two', { ports: ['80:80'] }))]);
  t.deepEqual(outcomes.map(outcome => outcome.status).toSorted(), ['fulfilled', 'rejected']);
  t.is(one.keys('apps/').length, 1);
});

test('applies at once, through two replicas, give each service an address of its own', async t => {
  const one = await MemoryReplica.start(t);
  const two = await MemoryReplica.start(t, one);
  await Promise.all([0, 1, 2, 3].map(async index => await apply(index % 2 === 0 ? one : two, index, spec(`a${String(index)}`))));
  const addresses = [...one.state.current.services.values()].map(record => record.value.virtualIp);
  t.is(new Set(addresses).size, 4);
});

test('30 applies at once with new services and ports, through two replicas, all land', async t => {
  const one = await MemoryReplica.start(t);
  const two = await MemoryReplica.start(t, one);
  await Promise.all(Array.from({ length: 30 }, async (_, index) => await apply(index % 2 === 0 ? one : two, index, spec(`a${String(index)}`, { ports: [`${String(8_000 + index)}:80`] }))));
  t.is(new Set([...one.state.current.services.values()].map(record => record.value.virtualIp)).size, 30);
});

test('a repeated request gets its answer also where it would be refused now', async t => {
  const replica = await MemoryReplica.start(t);
  const first = await apply(replica, 1, spec('shop', { security: { profile: 'baseline' } }));
  await replica.put({ kind: 'namespace', name: 'default' }, encodeNamespace({ name: 'default', profile: 'restricted', bindPrefixes: [], createdAtMs: T0, updatedAtMs: T0 }));
  t.deepEqual(await apply(replica, 1, spec('shop', { security: { profile: 'baseline' } })), first);
  await t.throwsAsync(apply(replica, 2, spec('shop', { security: { profile: 'baseline' } })));
});

test('only operators apply', async t => {
  const replica = await MemoryReplica.start(t);
  const call = createApply(replica.parts)({ requestId: requestId(1), app: spec('shop'), isDryRun: false }, { ...OPERATOR, role: 'node' });
  t.like(await t.throwsAsync(call), { code: 'PERMISSION_DENIED' });
});

test('a metric is refused where no controller can ask for it', async t => {
  const replica = await MemoryReplica.start(t);
  const app = spec('shop', { autoscale: { min: 1, max: 3, metric: { query: 'sum(jobs)', target: 10 } } });
  const error = await t.throwsAsync(apply(replica, 1, app));
  t.like(error, { code: 'INVALID_ARGUMENT', violations: [{ path: 'services.web.autoscale.metric' }] });
  t.deepEqual(replica.keys('apps/'), []);
  await createApply({ ...replica.parts, hasPrometheus: true })({ requestId: requestId(2), app, isDryRun: false }, OPERATOR);
  t.deepEqual(replica.keys('apps/'), ['apps/default/shop']);
});

test('an App that publishes a port of the machine is refused, and nothing of it is stored', async t => {
  const replica = await MemoryReplica.start(t);
  const app = appOf(manifest({ ports: ['22:80'] }));
  const error = await t.throwsAsync(createApply(replica.parts)({ requestId: requestId(1), app, isDryRun: false }, OPERATOR));
  t.like(error, { code: 'INVALID_ARGUMENT', violations: [{ path: 'services.web.ports[0].published' }] });
  t.deepEqual(replica.keys('apps/'), []);
});

test('a service without a policy gets the one of the cluster, in its record and in its Revision', async t => {
  const replica = await MemoryReplica.start(t);
  await createApply({ ...replica.parts, defaultPolicy: 'binpack' })({ requestId: requestId(1), app: spec('shop'), isDryRun: false }, OPERATOR);
  t.is(replica.state.current.services.get(serviceId('default', 'shop', 'web'))?.value.spec.placement.policy, 'binpack');
  t.like(await createApply({ ...replica.parts, defaultPolicy: 'binpack' })({ requestId: requestId(2), app: spec('shop'), isDryRun: false }, OPERATOR), { isChanged: false });
});

test('a config that is stored and that no service names is written anew, so that it is not removed before the App names it', async t => {
  const replica = await MemoryReplica.start(t);
  const configs = { configs: { c: { content: 'x' } } };
  const mounts = { configs: [{ source: 'c', target: '/c' }] };
  const [blobs, written] = ['/gantry/v1/blobs/', async (): Promise<readonly number[]> => (await replica.parts.store.list(blobs)).entries.map(entry => entry.modRevision)];
  await apply(replica, 1, spec('shop', mounts, configs));
  const first = await written();
  t.is(first.length, 1);
  await apply(replica, 2, spec('shop', mounts, configs));
  t.deepEqual(await written(), first, 'in use: as it was');
  await apply(replica, 3, spec('shop'));
  await apply(replica, 4, spec('side', mounts, configs));
  t.is((await written()).length, 1);
  t.true((await written())[0]! > first[0]!);
});
