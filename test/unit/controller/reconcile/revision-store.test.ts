import test from 'ava';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { RevisionCache } from '../../../../controller/reconcile/revision-store.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import type { Operation } from '../../../../controller/store/ports.ts';
import { encodeApp, encodeRevision, encodeService, encodeServiceStatus } from '../../../../controller/store/records.ts';
import { ClusterMirror } from '../../../../controller/store/snapshot.ts';
import { app, revisionWith, service, serviceStatus } from '../../../support/builders.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { MemoryEtcd } from '../../../support/memory-store.ts';

const shop = app('shop');
const { signal } = new AbortController();
const put = (key: Parameters<typeof buildKey>[0], value: Uint8Array): Operation => ({ kind: 'put', key: buildKey(key), value });

/** `shop` at revision 2 on its way from revision 1, whose service has `image`. */
function rollout(image: string): readonly Operation[] {
  const [before, after] = [service({ revision: 1, container: { image } }), service({ revision: 2 })];
  return [
    put({ kind: 'app', id: shop.id }, encodeApp({ ...shop, revision: 2 })), put({ kind: 'service', id: after.id }, encodeService(after)),
    put({ kind: 'service-status', id: after.id }, encodeServiceStatus(serviceStatus(before))),
    put({ kind: 'revision', app: shop.id, number: 1 }, encodeRevision(revisionWith(before))),
  ];
}

function snapshotOf(etcd: MemoryEtcd): ClusterSnapshot {
  const mirror = new ClusterMirror();
  mirror.reset({ etcdRevision: etcd.etcdRevision, entries: etcd.range(['/gantry/v1/']) });
  return mirror.current;
}

test('an App that is applied again after it was deleted goes back to its own revision 1, not to that of the App before it', async t => {
  const etcd = new MemoryEtcd(new FakeClock());
  const cache = new RevisionCache(etcd.connect());
  const imageBefore = async (): Promise<string | undefined> => {
    const snapshot = snapshotOf(etcd);
    await cache.load(snapshot, service().id, signal);
    return cache.get(snapshot, shop.id, 1)?.services[0]?.container.image;
  };
  etcd.commit([], rollout('web:old'));
  t.is(await imageBefore(), 'web:old');
  etcd.commit([], rollout('web:old').map(operation => ({ kind: 'delete', key: operation.key })));
  t.is(await imageBefore(), undefined);
  etcd.commit([], rollout('web:new'));
  t.is(await imageBefore(), 'web:new');
});
