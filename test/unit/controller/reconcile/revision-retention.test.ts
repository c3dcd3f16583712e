import test from 'ava';
import { appId } from '#model/ids.ts';
import type { ServiceId } from '#model/ids.ts';
import { isInDoubt, neededRevisions, revisionsToDelete } from '../../../../controller/reconcile/revision-retention.ts';
import { service, serviceStatus, snapshot, task, taskId } from '../../../support/builders.ts';

const SHOP = appId('default', 'shop');
const upTo = (last: number): readonly number[] => Array.from({ length: last }, (_, index) => index + 1);
const none: ReadonlySet<number> = new Set();

test('the newest before the one in force stay, as many as the limit says; one of a newer apply stays', t => {
  t.deepEqual(revisionsToDelete(upTo(13), { inForce: 12, limit: 10, needed: none }), [1]);
  t.deepEqual(revisionsToDelete(upTo(11), { inForce: 11, limit: 10, needed: none }), []);
  t.deepEqual(revisionsToDelete(upTo(5), { inForce: 5, limit: 0, needed: none }), [4, 3, 2, 1]);
});

test('what something needs stays, and is not counted against it: no rollback loses its way', t => {
  t.deepEqual(revisionsToDelete(upTo(20), { inForce: 20, limit: 2, needed: new Set([3, 19]) }), [17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 2, 1]);
});

test('needed is what Services are in, what a rollback goes back to, and what Tasks were made from', t => {
  const web = service({ revision: 7 });
  const old = service({ name: 'old', revision: 2 });
  const rollout = { state: 'progressing', reason: '', revision: 6, startedAtMs: 0 } as const;
  const current = snapshot({
    services: [web, old, service({ app: 'other', name: 'web', revision: 40 })],
    serviceStatuses: [serviceStatus(web, { settledRevision: 4, rollout })],
    tasks: [task(web, 'n1', { revision: 1 })],
  });
  t.deepEqual([...neededRevisions(current).get(SHOP) ?? []].sort((left, right) => left - right), [1, 2, 4, 6, 7]);
});

test('an App is in doubt where a record of its own, or a Task that may be its own, cannot be read', t => {
  const clear = snapshot({});
  t.false(isInDoubt(SHOP, clear, ['/gantry/v1/services/default/shopping/web', '/gantry/v1/tasks/t1']));
  t.true(isInDoubt(SHOP, clear, ['/gantry/v1/services/default/shop/web']));
  t.true(isInDoubt(SHOP, { ...clear, unreadableTasks: new Map([[taskId('t'), { serviceId: 'default/shop/web' as ServiceId }]]) }, []));
  t.false(isInDoubt(SHOP, { ...clear, unreadableTasks: new Map([[taskId('t'), { serviceId: 'default/other/web' as ServiceId }]]) }, []));
  t.true(isInDoubt(SHOP, { ...clear, unreadableTasks: new Map([[taskId('t'), {}]]) }, []));
});
