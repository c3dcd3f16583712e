import test from 'ava';
import type { Phase, TaskState } from '#model/task.ts';
import type { ListFilter } from '#model/ports.ts';
import { parseNodeId } from '#model/ids.ts';
import { clusterView, stateOf } from '../../../../controller/api/cluster-view.ts';
import { node, service, serviceStatus, snapshot, status, T0, task, taskId } from '../../../support/builders.ts';

const web = service({ name: 'web', app: 'shop' });
const api = service({ name: 'api', app: 'other', kind: 'global' });
const [n1, n2, n3] = [node('n1'), node('n2'), node('n3', { condition: 'lost' })];
const tasks = [task(web, n1, { slot: 0, id: taskId('wa') }), task(web, n2, { slot: 1, id: taskId('wb') }), task(api, n3, { id: taskId('aa') })];
const state = snapshot({
  services: [web, api], nodes: [n3, n1, n2], tasks, statuses: [status(tasks[0]!), status(tasks[1]!, { health: 'unhealthy' }), status(tasks[2]!)],
  serviceStatuses: [serviceStatus(web, { pending: [{ slot: 2, reason: 'no node fits' }] })],
});

const shows = test.macro({
  exec(t, filter: ListFilter, expected: object) {
    const view = clusterView(state, filter, new Map());
    t.deepEqual({
      apps: view.apps.map(one => one.name), services: view.services.map(one => one.service.name), tasks: view.tasks.map(one => one.task.id.slice(0, 2)),
      pending: view.pending.length, nodes: view.nodes.map(one => one.node.id),
    }, expected as never);
  },
  title: (_, filter) => `clusterView of ${JSON.stringify(filter)}`,
});
test(shows, {}, { apps: ['other', 'shop'], services: ['api', 'web'], tasks: ['aa', 'wa', 'wb'], pending: 1, nodes: ['n1', 'n2', 'n3'] });
test(shows, { app: 'shop' }, { apps: ['shop'], services: ['web'], tasks: ['wa', 'wb'], pending: 1, nodes: ['n1', 'n2', 'n3'] });
test(shows, { app: 'shop', service: 'web' }, { apps: ['shop'], services: ['web'], tasks: ['wa', 'wb'], pending: 1, nodes: ['n1', 'n2', 'n3'] });
test(shows, { namespace: 'nowhere' }, { apps: [], services: [], tasks: [], pending: 0, nodes: ['n1', 'n2', 'n3'] });
test(shows, { node: parseNodeId('n2') }, { apps: ['other', 'shop'], services: ['api', 'web'], tasks: ['wb'], pending: 0, nodes: ['n2'] });

test('a service counts what is wanted, runs and serves; a lost node\'s tasks do neither', t => {
  const [global, replicated] = clusterView(state, {}, new Map()).services;
  t.like(replicated, { wanted: 3, running: 2, healthy: 1 });
  t.like(global, { wanted: 2, running: 0, healthy: 0 });
});

test('when a node was seen is what this replica heard', t => {
  t.is(clusterView(state, {}, new Map([[n1.id, T0]])).nodes[0]?.lastSeenMs, T0);
});

const STATES: readonly (readonly [string, Phase | undefined, 'run' | 'stop', typeof n1 | undefined, TaskState])[] = [
  ['not reported yet', undefined, 'run', n1, 'assigned'],
  ['running', 'running', 'run', n1, 'running'],
  ['running, to stop', 'running', 'stop', n1, 'stopping'],
  ['running on a lost node', 'running', 'run', n3, 'lost'],
  ['running on no node', 'running', 'run', undefined, 'lost'],
  ['ended, on a lost node', 'complete', 'stop', n3, 'complete'],
];
for (const [what, phase, desired, on, expected] of STATES) {
  test(`${what}: ${expected}`, t => {
    const one = task(web, n1, { desired });
    t.is(stateOf(one, phase === undefined ? undefined : status(one, { phase }), on), expected);
  });
}
