import test from 'ava';
import { eventObject, isEventIn, isEventOf } from '../../../cli/event-scope.ts';
import type { Found } from '../../../cli/target.ts';
import { clusterView, DB, serviceView, taskView, WEB } from '../../support/cluster-view.ts';

const view = clusterView();
const [shop] = view.apps;
const counts = { running: 1, healthy: 1, wanted: 1 };
const OBJECTS = ['app/default/shop', 'service/default/shop/web', 'service/default/shop/db', 'service/default/shopping/web', 'task/webaaaaaaaaa', 'task/dbaaaaaaaaaa', 'task/gone', 'node/n1'];
const of = (found: Found): readonly string[] => OBJECTS.filter(object => isEventOf(object, found, view));

test('of an App: its services and tasks too', t => {
  t.deepEqual(shop && of({ kind: 'app', app: shop }), ['app/default/shop', 'service/default/shop/web', 'service/default/shop/db', 'task/webaaaaaaaaa', 'task/dbaaaaaaaaaa']);
});
test('of a service: its tasks too', t => {
  t.deepEqual(of({ kind: 'service', service: serviceView(WEB, counts) }), ['service/default/shop/web', 'task/webaaaaaaaaa']);
  t.deepEqual(of({ kind: 'service', service: serviceView(DB, counts) }), ['service/default/shop/db', 'task/dbaaaaaaaaaa']);
});
test('of a task or a node: its own', t => {
  const task: Found = { kind: 'task', task: taskView(WEB, 0, 'n1') };
  t.deepEqual([eventObject(task), of(task)], ['task/webaaaaaaaaa', ['task/webaaaaaaaaa']]);
  t.deepEqual(view.nodes.map(node => of({ kind: 'node', node })), [['node/n1'], []]);
});
test('in a namespace: its Apps, services and tasks; no node', t => {
  t.deepEqual(OBJECTS.filter(object => isEventIn(object, 'default', view)), ['app/default/shop', 'service/default/shop/web', 'service/default/shop/db', 'service/default/shopping/web', 'task/webaaaaaaaaa', 'task/dbaaaaaaaaaa']);
  t.deepEqual(['app/prod/default', 'node/default', 'service/prod/default/web'].filter(object => isEventIn(object, 'default', view)), []);
});
