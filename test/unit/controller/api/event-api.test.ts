import test from 'ava';
import { createEventApi } from '../../../../controller/api/event-api.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import { encodeClusterEvent, encodeService } from '../../../../controller/store/records.ts';
import { service, snapshot } from '../../../support/builders.ts';
import { FakeClock, T0 } from '../../../support/fake-clock.ts';
import { MemoryReplica } from '../../../support/memory-replica.ts';
import { MemoryEtcd } from '../../../support/memory-store.ts';

const OPERATOR = { role: 'operator', name: 'ann', address: '127.0.0.1' } as const;
const { signal } = new AbortController();
const keyOf = (reason: string): string => buildKey({ kind: 'event', object: 'service/default/shop/web', reason });
const OCCURRED = { type: 'normal', message: 'occurred', firstAtMs: T0, lastAtMs: T0, count: 1 } as const;
const event = (reason: string): Uint8Array => encodeClusterEvent({ ...OCCURRED, object: 'service/default/shop/web', reason });

test('A11: an event that cannot be read keeps no other event back, neither from a list nor from a watch', async t => {
  const store = new MemoryEtcd(new FakeClock()).connect();
  const api = createEventApi({ store, signal, state: { current: snapshot() } });
  await store.transact([], [
    { kind: 'put', key: keyOf('Broken'), value: new Uint8Array([250, 1, 2]) },
    { kind: 'put', key: keyOf('Started'), value: event('Started') },
  ]);
  t.deepEqual((await api.events({}, OPERATOR)).map(one => one.reason), ['Started']);
  const reader = new AbortController();
  const watched = api.watchEvents({}, OPERATOR, reader.signal)[Symbol.asyncIterator]();
  t.like(await watched.next(), { value: { reason: 'Started' } });
  const following = watched.next();
  await store.transact([], [{ kind: 'put', key: keyOf('Broken'), value: new Uint8Array([250, 3]) }]);
  await store.transact([], [{ kind: 'put', key: keyOf('Exited'), value: event('Exited') }]);
  t.like(await following, { value: { reason: 'Exited' } });
  reader.abort();
});

test('the events of an object are those of the object that has the name now; a list of all has every one', async t => {
  const replica = await MemoryReplica.start(t);
  const web = service();
  const object = `service/${web.id}`;
  const api = createEventApi(replica);
  const put = async (reason: string): Promise<void> => { await replica.put({ kind: 'event', object, reason }, encodeClusterEvent({ ...OCCURRED, object, reason })); };
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  await put('Old');
  await replica.put({ kind: 'service', id: web.id }, encodeService({ ...web, restartCount: 1 }));
  t.deepEqual((await api.events({ object }, OPERATOR)).map(one => one.reason), ['Old'], 'a change keeps them');
  await replica.delete({ kind: 'service', id: web.id });
  t.deepEqual((await api.events({ object }, OPERATOR)).map(one => one.reason), ['Old'], 'of a name that no object has');
  await replica.put({ kind: 'service', id: web.id }, encodeService(web));
  await put('New');
  t.deepEqual((await api.events({ object }, OPERATOR)).map(one => one.reason), ['New']);
  t.deepEqual((await api.events({}, OPERATOR)).map(one => one.reason).toSorted(), ['New', 'Old']);
});
