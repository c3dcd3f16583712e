import test from 'ava';
import { createApply } from '../../../../controller/api/apply-api.ts';
import { createNamespaceApi } from '../../../../controller/api/namespace-api.ts';
import { appOf, manifest } from '../../../support/manifest.ts';
import { MemoryReplica, OPERATOR, requestId } from '../../../support/memory-replica.ts';

const PRIVILEGED = appOf(manifest({ security: { profile: 'privileged' }, volumes: ['/srv/a:/a'] }));

test('a namespace allows what its policy says, from the next apply on', async t => {
  const replica = await MemoryReplica.start(t);
  const [apply, namespaces] = [createApply(replica.parts), createNamespaceApi(replica.parts)];
  const error = await t.throwsAsync(apply({ requestId: requestId(1), app: PRIVILEGED, isDryRun: true }, OPERATOR), { code: 'INVALID_ARGUMENT' });
  t.regex(error.message, /services\.web\.security\.profile: profile 'privileged' is not allowed in this Namespace.* \(and 1 more\)/);
  t.deepEqual(await namespaces.listNamespaces(OPERATOR), []);
  await namespaces.putNamespace({ requestId: requestId(2), name: 'default', profile: 'privileged', bindPrefixes: ['/srv'] }, OPERATOR);
  t.true((await apply({ requestId: requestId(3), app: PRIVILEGED, isDryRun: false }, OPERATOR)).isChanged);
  t.like((await namespaces.listNamespaces(OPERATOR))[0], { name: 'default', profile: 'privileged', bindPrefixes: ['/srv'], apps: 1 });
  t.deepEqual(replica.told.map(({ reason }) => reason), ['NamespacePolicySet', 'PrivilegedApplied']);
  t.regex(replica.told[1]?.message ?? '', /revision 1 with privileged services: web/);
});
test('what is absent stays; repeated, a request changes nothing more', async t => {
  const replica = await MemoryReplica.start(t);
  const namespaces = createNamespaceApi(replica.parts);
  await namespaces.putNamespace({ requestId: requestId(1), name: 'prod', bindPrefixes: ['/b', '/a', '/a'] }, OPERATOR);
  await namespaces.putNamespace({ requestId: requestId(2), name: 'prod', profile: 'restricted' }, OPERATOR);
  t.like((await namespaces.listNamespaces(OPERATOR))[0], { profile: 'restricted', bindPrefixes: ['/a', '/b'], apps: 0 });
  await namespaces.putNamespace({ requestId: requestId(1), name: 'prod', bindPrefixes: ['/b', '/a', '/a'] }, OPERATOR);
  t.is(replica.told.length, 2, 'nor is it an event again');
  t.like((await namespaces.listNamespaces(OPERATOR))[0], { profile: 'restricted', bindPrefixes: ['/a', '/b'] });
  await namespaces.deleteNamespace({ requestId: requestId(3), name: 'prod' }, OPERATOR);
  t.deepEqual(replica.keys('namespaces/'), []);
  await t.throwsAsync(namespaces.deleteNamespace({ requestId: requestId(4), name: 'prod' }, OPERATOR), { code: 'NOT_FOUND' });
});
test('a quota is set, shown with what is used of it, and taken away by an empty one', async t => {
  const replica = await MemoryReplica.start(t);
  const namespaces = createNamespaceApi(replica.parts);
  const quota = { tasks: 5, devices: [{ name: 'gpu', count: 1 }] };
  await namespaces.putNamespace({ requestId: requestId(1), name: 'prod', quota }, OPERATOR);
  await namespaces.putNamespace({ requestId: requestId(2), name: 'prod', profile: 'restricted' }, OPERATOR);
  t.like((await namespaces.listNamespaces(OPERATOR))[0], { quota, used: { tasks: 0, milliCpu: 0 } });
  t.regex(replica.told[0]?.message ?? '', /set namespace prod: quota: tasks=5,gpu=1/);
  await t.throwsAsync(namespaces.putNamespace({ requestId: requestId(3), name: 'prod', quota: { tasks: -1, devices: [] } }, OPERATOR), { code: 'INVALID_ARGUMENT' });
  await namespaces.putNamespace({ requestId: requestId(4), name: 'prod', quota: { devices: [] } }, OPERATOR);
  t.is((await namespaces.listNamespaces(OPERATOR))[0]?.quota, undefined);
});
test('a bad name or directory is refused, and whoever is no operator', async t => {
  const replica = await MemoryReplica.start(t);
  const namespaces = createNamespaceApi(replica.parts);
  await t.throwsAsync(namespaces.putNamespace({ requestId: requestId(1), name: 'a/b', profile: 'restricted' }, OPERATOR), { code: 'INVALID_ARGUMENT' });
  await t.throwsAsync(namespaces.putNamespace({ requestId: requestId(1), name: 'a', bindPrefixes: ['/srv/../etc'] }, OPERATOR), { code: 'INVALID_ARGUMENT' });
  await t.throwsAsync(namespaces.putNamespace({ requestId: requestId(1), name: 'a', profile: 'restricted' }, { ...OPERATOR, role: 'node' }), { code: 'PERMISSION_DENIED' });
  t.deepEqual(replica.keys('namespaces/'), []);
});
test('a policy that cannot be read closes its namespace until it is written anew', async t => {
  const replica = await MemoryReplica.start(t);
  await replica.put({ kind: 'namespace', name: 'default' }, Uint8Array.of(9, 9));
  await t.throwsAsync(createApply(replica.parts)({ requestId: requestId(1), app: appOf(manifest()), isDryRun: true }, OPERATOR), { code: 'UNAVAILABLE', message: /policy of namespace default cannot be read/ });
  await createNamespaceApi(replica.parts).putNamespace({ requestId: requestId(2), name: 'default', profile: 'baseline' }, OPERATOR);
  await t.notThrowsAsync(createApply(replica.parts)({ requestId: requestId(3), app: appOf(manifest()), isDryRun: true }, OPERATOR));
});
