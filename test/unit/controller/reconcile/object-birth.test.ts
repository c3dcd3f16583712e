import test from 'ava';
import { createRevisionOf } from '../../../../controller/reconcile/object-birth.ts';
import { app, node, service, snapshot } from '../../../support/builders.ts';

test('an App, a service and a node have the create revision of their record; what is not there has none', t => {
  const state = snapshot({ apps: [app()], services: [service()], nodes: [node('n1')] });
  const of = (object: string): number => createRevisionOf(object, state);
  t.deepEqual(['app/default/shop', 'service/default/shop/web', 'node/n1'].map(of), [10, 10, 1]);
  t.deepEqual(['app/default/other', 'node/n2', 'task/taaaaaaaaaaa', 'cluster', 'cluster/n1'].map(of), [0, 0, 0, 0, 0]);
});
