import test from 'ava';
import { serviceId } from '#model/ids.ts';
import type { VolumeView } from '#model/ports.ts';
import { nameOf, volumeItem, volumeTable } from '../../../../cli/format/volumes.ts';
import { T0, taskId, volume } from '../../../support/builders.ts';

const DB = serviceId('default', 'shop', 'db');
const view = (options: Parameters<typeof volume>[1], rest: Partial<VolumeView> = {}): VolumeView => ({ volume: volume('n1', options), users: [], services: [], ...rest });
const used = view({ slot: 2 }, { users: [{ task: taskId('db'), name: 'db-2' }], services: [DB] });

test('a volume of a replica has its ordinal in its name', t => {
  t.deepEqual([nameOf(used), nameOf(view({}))], ['data-2', 'data']);
});
test('who uses it, or since when nobody does', t => {
  const states = (...views: readonly VolumeView[]) => volumeTable(views, T0 + 120_000).rows.map(row => row[5]);
  t.deepEqual(states(used, view({}, { users: [...used.users, { task: taskId('dc'), name: 'db-3' }] }), view({}, { unusedSinceMs: T0 }), view({}, { services: [DB] }), view({ state: 'removing' }), view({ state: 'removing' }, { users: used.users })), [
    'in use by db-2', 'in use by db-2 and 1 more', 'unused for 2m', 'unused, of default/shop/db', 'being removed', 'being removed, once db-2 ended',
  ]);
  t.deepEqual(volumeTable([used], T0 + 120_000).rows[0]?.slice(0, 5), ['default', 'data-2', 'shop', '2', 'n1']);
});
test('as data', t => {
  t.deepEqual(volumeItem(view({}, { unusedSinceMs: T0 })), {
    namespace: 'default', name: 'data', volume: 'data', ordinal: null, app: 'shop', service: 'web', node: 'n1', isPerNode: false, state: 'unused', usedBy: [], services: [],
    unusedSince: '2026-01-01T00:00:00.000Z', createdAt: '2026-01-01T00:00:00.000Z',
  });
  t.like(volumeItem(used), { ordinal: 2, state: 'in-use', usedBy: [{ name: 'db-2' }] });
  t.like(volumeItem(view({ state: 'removing' })), { state: 'removing' });
});
