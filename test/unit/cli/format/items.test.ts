import test from 'ava';
import { appItem, eventItem, nodeItem, pendingItem, serviceItem, taskItem } from '../../../../cli/format/items.ts';
import { clusterView } from '../../../support/cluster-view.ts';
import { T0 } from '../../../support/builders.ts';
import { golden } from '../../../support/golden.ts';

const VIEW = clusterView();

test('the JSON shapes that scripts rely on', t => {
  const items = {
    nodes: VIEW.nodes.map(one => nodeItem(one, VIEW.tasks)),
    services: VIEW.services.map(service => serviceItem(service, VIEW.tasks)),
    tasks: [...VIEW.tasks.map(taskItem), ...VIEW.pending.map(pendingItem)],
    apps: VIEW.apps.map(app => appItem(app, VIEW)),
    events: [eventItem({ type: 'warning', object: 'node/n1', reason: 'Lost', message: 'silent for 20s', firstAtMs: T0, lastAtMs: T0 + 1, count: 2 })],
  };
  golden(t, 'cli/items.json', `${JSON.stringify(items, null, 2)}\n`);
});

test('a pending slot has the fields of a task', t => {
  const [task] = VIEW.tasks;
  const [pending] = VIEW.pending;
  t.deepEqual(Object.keys(task === undefined ? {} : taskItem(task)).sort(), Object.keys(pending === undefined ? {} : pendingItem(pending)).sort());
});
