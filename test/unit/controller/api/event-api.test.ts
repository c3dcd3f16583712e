import test from 'ava';
import { createEventApi } from '../../../../controller/api/event-api.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import { encodeClusterEvent } from '../../../../controller/store/records.ts';
import { FakeClock, T0 } from '../../../support/fake-clock.ts';
import { MemoryEtcd } from '../../../support/memory-store.ts';

const OPERATOR = { role: 'operator', name: 'ann', address: '127.0.0.1' } as const;
const { signal } = new AbortController();
const keyOf = (reason: string): string => buildKey({ kind: 'event', object: 'service/default/shop/web', reason });
const event = (reason: string): Uint8Array => encodeClusterEvent({
  type: 'normal', object: 'service/default/shop/web', reason, message: 'told', firstAtMs: T0, lastAtMs: T0, count: 1,
});

test('A11: an event that cannot be read keeps no other event back, neither from a list nor from a watch', async t => {
  const store = new MemoryEtcd(new FakeClock()).connect();
  const api = createEventApi({ store, signal });
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
