import test from 'ava';
import { affectedKeys, allKeys, touchesVolumes, waitingServices } from '../../../../controller/reconcile/affected-keys.ts';
import type { RecordKind } from '../../../../controller/store/keys.ts';
import type { ClusterChange } from '../../../../controller/store/snapshot.ts';
import { node, service, serviceStatus, snapshot, task, volume } from '../../../support/builders.ts';

const n1 = node('n1');
const web = service({ name: 'web' });
const db = service({ name: 'db' });
const late = service({ name: 'late', dependsOn: [{ service: 'db', condition: 'service_healthy' }] });
const other = service({ name: 'other', app: 'blog' });
const everywhere = service({ name: 'log', app: 'ops', kind: 'global' });
const current = snapshot({
  nodes: [n1, node('n2')], services: [web, db, late, other, everywhere], tasks: [task(web, n1)],
  serviceStatuses: [serviceStatus(other, { pending: [{ slot: 0, reason: 'full' }] })],
});

function keysOf(kinds: readonly RecordKind[], touched: Partial<ClusterChange>): readonly string[] {
  const change = { etcdRevision: 1, kinds: new Set(kinds), apps: new Set<never>(), services: new Set<never>(), nodes: new Set<never>(), tasks: new Set<never>(), ...touched };
  return [...affectedKeys(change, current)].sort();
}

test('a touched service: itself, its App, and the services of the App that wait for others', t => {
  t.deepEqual(keysOf(['status'], { services: new Set([db.id]) }), ['app/default/shop', 'service/default/shop/db', 'service/default/shop/late']);
  t.deepEqual(keysOf(['service'], { services: new Set([other.id]) }), ['app/default/blog', 'service/default/blog/other']);
});

test('a touched App: all its services', t => {
  t.deepEqual(keysOf(['app'], { apps: new Set([...current.apps.keys()].filter(id => id === 'default/shop')) }),
    ['app/default/shop', 'service/default/shop/db', 'service/default/shop/late', 'service/default/shop/web']);
});

test('a node that changed: services with tasks on it, global ones, those that wait for room, and the nodes', t => {
  t.deepEqual(keysOf(['node'], { nodes: new Set([n1.id]) }), ['nodes', 'service/default/blog/other', 'service/default/ops/log', 'service/default/shop/web']);
});

test('a ledger alone concerns nobody; a session or a controller the nodes', t => {
  t.deepEqual(keysOf(['ledger'], { nodes: new Set([n1.id]) }), []);
  t.deepEqual(keysOf(['session'], { nodes: new Set([n1.id]) }), ['nodes']);
  t.deepEqual(keysOf(['controller'], {}), ['nodes']);
});

test('all keys are the nodes, the volumes, every service and every App; those that wait for room are a few', t => {
  t.is(allKeys(current).length, 2 + 5 + 3);
  t.deepEqual(waitingServices(current), ['service/default/blog/other']);
});

test('a run of a cron: the cron too', t => {
  const cron = service({ name: 'report', kind: 'cron' });
  const state = snapshot({ services: [cron, web] });
  const change = { etcdRevision: 1, kinds: new Set<RecordKind>(['service']), apps: new Set<never>(), services: new Set([service({ name: 'report-1' }).id]), nodes: new Set<never>(), tasks: new Set<never>() };
  t.deepEqual([...affectedKeys(change, state)].sort(), ['app/default/shop', 'service/default/shop/report', 'service/default/shop/report-1']);
});

test('the records of volumes follow from services, nodes and tasks that mount some; where there are none, from nothing', t => {
  const db = service({ name: 'db', container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] } });
  const touches = (kind: RecordKind, of = web, volumes = [volume('n1')]) => touchesVolumes(
    { etcdRevision: 1, kinds: new Set([kind]), apps: new Set(), services: new Set([of.id]), nodes: new Set(), tasks: new Set() }, snapshot({ services: [web, db], volumes }));
  t.deepEqual((['service', 'node', 'volume', 'task', 'status'] as const).map(kind => touches(kind)), [true, true, true, false, false]);
  t.deepEqual([touches('task', db), touches('task', other)], [true, true], 'one that is gone may have had some');
  t.deepEqual((['service', 'node', 'task'] as const).map(kind => touches(kind, db, [])), [false, false, false]);
});
