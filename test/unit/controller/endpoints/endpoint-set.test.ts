import test from 'ava';
import { endpointChange } from '#model/endpoint-change.ts';
import { endpointSet, nextEndpointSet } from '../../../../controller/endpoints/endpoint-set.ts';
import type { TaskStatus } from '#model/task.ts';
import { T0, node, service, serviceStatus, snapshot, status, task, taskId } from '../../../support/builders.ts';
import type { NodeOptions, SnapshotOptions } from '../../../support/builders.ts';

const web = service();
const one = task(web, 'n1');

function tasksServing(state: SnapshotOptions): readonly string[] {
  return endpointSet(snapshot({ services: [web], nodes: [node('n1')], ...state })).services.flatMap(each => each.endpoints.filter(endpoint => endpoint.isHealthy).map(endpoint => endpoint.task));
}

const serves = test.macro({
  exec(t, options: Partial<TaskStatus>, expected: boolean) {
    t.is(tasksServing({ tasks: [one], statuses: [status(one, options)] }).length === 1, expected);
  },
  title: (name = '') => `endpointSet: ${name}`,
});
test('running without a health check serves', serves, { health: 'none' }, true);
test('healthy serves', serves, { health: 'healthy' }, true);
test('starting does not', serves, { health: 'starting' }, false);
test('unhealthy does not', serves, { health: 'unhealthy' }, false);
test('stopping does not', serves, { phase: 'stopping' }, false);
test('without an address it does not', t => {
  const { address: _, ...rest } = status(one);
  t.deepEqual(tasksServing({ tasks: [one], statuses: [rest] }), []);
});
test('a task that is to stop is out at once', t => {
  t.deepEqual(tasksServing({ tasks: [{ ...one, desired: 'stop' }] }), []);
});

const onNode = test.macro({
  exec(t, options: NodeOptions, expected: boolean) {
    t.is(tasksServing({ tasks: [one], nodes: [node('n1', options)] }).length === 1, expected);
  },
  title: (name = '') => `endpointSet: a task on a ${name}`,
});
test('silent node serves still: it is the last', onNode, { condition: 'silent' }, true);
test('lost node does not', onNode, { condition: 'lost' }, false);
test('draining node does', onNode, { availability: 'draining' }, true);

/** `web` has a task on each node; of these the endpoints in force. */
function nodesServing(nodes: readonly NodeOptions[], state: SnapshotOptions = {}): readonly string[] {
  const all = nodes.map((options, index) => node(`n${String(index + 1)}`, options));
  const tasks = all.map(({ id }, slot) => task(web, id, { id: taskId('abcd'[slot] ?? ''), slot }));
  const { services } = endpointSet(snapshot({ services: [web], nodes: all, tasks, ...state }));
  return services.flatMap(each => each.endpoints.filter(endpoint => endpoint.isHealthy).map(endpoint => endpoint.node));
}
const silent: NodeOptions = { condition: 'silent' };
const OPEN = { type: 'warning', object: 'cluster', reason: 'MassBreakerOpened', message: 'open', firstAtMs: T0, lastAtMs: T0, count: 1 } as const;

const withdraws = test.macro({
  exec(t, nodes: readonly NodeOptions[], expected: readonly string[], state: SnapshotOptions = {}) {
    t.deepEqual(nodesServing(nodes, state), expected);
  },
  title: (name = '') => `endpointSet: ${name}`,
});
test('a silent node gets no traffic while a node that is heard has an endpoint of the service', withdraws, [{}, silent, {}], ['n1', 'n3']);
test('a lost node gets none, whatever else there is', withdraws, [{ condition: 'lost' }, silent, {}, {}], ['n3', 'n4']);
test('the last endpoints of a service stay, silent or not', withdraws, [{ condition: 'lost' }, silent], ['n2']);
test('as many silent nodes as open the mass breaker say nothing about nodes', withdraws, [{}, silent, silent], ['n1', 'n2', 'n3']);
test('silent nodes whose loss an operator confirmed are no part of that mass', withdraws, [{}, silent, { condition: 'silent', isLossConfirmed: true }], ['n1']);
test('while the mass breaker is open silence says nothing', withdraws, [{}, silent, {}, {}], ['n1', 'n2', 'n3', 'n4'], { massBreaker: OPEN });
test('a node that no controller listens to keeps its endpoints: its condition is ready', withdraws, [{}, {}, {}], ['n1', 'n2', 'n3'], { controllers: [], sessions: [] });
test('an endpoint on a node that is heard, but not healthy, keeps no other from being the last', withdraws, [{}, silent], ['n2'], {
  statuses: [status(task(web, 'n1', { id: taskId('a') }), { health: 'unhealthy' }), status(task(web, 'n2', { id: taskId('b'), slot: 1 }))],
});

test('an endpoint without traffic is still known as a task of its App', t => {
  const all = [node('n1'), node('n2', silent)];
  const tasks = all.map(({ id }, slot) => task(web, id, { id: taskId('abcd'[slot] ?? ''), slot }));
  const { services } = endpointSet(snapshot({ services: [web], nodes: all, tasks }));
  t.deepEqual(services[0]?.endpoints.map(({ node: on, isHealthy }) => [on, isHealthy]), [['n1', true], ['n2', false]]);
});

test('of a blue_green service the colour with the requests keeps them while it serves anywhere, also on a silent node only', t => {
  const all = [node('n1'), node('n2', silent)];
  const green = task(web, 'n1', { id: taskId('green'), templateHash: 'green' });
  const blue = task(web, 'n2', { id: taskId('blue'), templateHash: 'blue', slot: 1 });
  const rolled = snapshot({ services: [web], nodes: all, tasks: [green, blue], serviceStatuses: [serviceStatus(web, { rollout: { state: 'progressing', reason: '', revision: 2, startedAtMs: T0, activeTemplate: 'blue' } })] });
  t.deepEqual(endpointSet(rolled).services.flatMap(each => each.endpoints.map(endpoint => [endpoint.task, endpoint.isHealthy])), [[blue.id, true]]);
});

test('services, endpoints and nodes are sorted, whatever order they come in', t => {
  const two = task(web, 'n2', { id: taskId('zz'), slot: 1 });
  const parts = { services: [web, service({ name: 'api' })], nodes: [node('n2'), node('n1')], tasks: [two, one] };
  const set = endpointSet(snapshot(parts));
  t.deepEqual(set.services.map(each => each.service), ['api', 'web']);
  t.deepEqual(set.services[1]?.endpoints.map(each => each.task), [one.id, two.id]);
  t.deepEqual(set.nodes.map(each => each.id), [node('n1').id, node('n2').id]);
  const turned = snapshot({ services: parts.services.toReversed(), nodes: parts.nodes.toReversed(), tasks: parts.tasks.toReversed() });
  t.deepEqual(endpointSet(turned), set);
});

test('the generation rises with the etcd revision and is no difference', t => {
  const at = (etcdRevision: number, tasks = [one]) => endpointSet(snapshot({ services: [web], nodes: [node('n1')], tasks, etcdRevision }));
  t.is(at(7).generation, 7);
  t.is(endpointChange(at(7), at(8)), undefined);
  t.truthy(endpointChange(at(7), at(7, [])));
});

test('an ingress port has one owner: a service that stays before one that goes', t => {
  const ports = [{ published: 80, target: 8080, protocol: 'tcp', mode: 'ingress', allowFrom: [] }] as const;
  const going = service({ name: 'a', isDeleting: true, container: { ports } });
  const staying = service({ name: 'b', container: { ports } });
  const published = endpointSet(snapshot({ services: [going, staying] })).services.map(each => each.ports.map(port => port.published));
  t.deepEqual(published, [[undefined], [80]]);
  t.deepEqual(endpointSet(snapshot({ services: [going] })).services[0]?.ports, ports);
});

test('what the runs of a cron serve is the cron\'s; they are no services of their own', t => {
  const cron = service({ name: 'report', kind: 'cron' });
  const run = { ...service({ name: 'report-1', kind: 'job' }), virtualIp: '', cronRun: { cron: 'report', scheduledAtMs: 0, isManual: false } };
  const made = task(run, 'n1');
  const { services } = endpointSet(snapshot({ services: [cron, run], nodes: [node('n1')], tasks: [made] }));
  t.deepEqual(services.map(one => [one.service, one.virtualIp, one.endpoints.map(endpoint => endpoint.task)]), [['report', '10.160.0.1', [made.id]]]);
});

test('the next set equals a new one; what was not touched is taken as it is', t => {
  const [api, nightly] = [service({ name: 'api' }), service({ name: 'nightly', kind: 'cron' })];
  const before = snapshot({ services: [web, api, nightly], nodes: [node('n1')], tasks: [one], etcdRevision: 7 });
  const after = snapshot({ services: [web, api, nightly], nodes: [node('n1')], tasks: [one], statuses: [status(one, { health: 'unhealthy' })], etcdRevision: 8 });
  const known = endpointSet(before);
  const next = nextEndpointSet(known, after, { etcdRevision: 8, kinds: new Set(['status']), services: new Set([web.id]) });
  t.deepEqual(next, endpointSet(after));
  t.deepEqual(endpointChange(known, next)?.services.map(({ service, removedTasks }) => [service.id, service.endpoints, removedTasks]), [[web.id, [], [one.id]]]);
  t.is(next.services[0], known.services[0], 'api was not touched');
  const moved = snapshot({ services: [web, api, nightly], nodes: [node('n1', { condition: 'lost' })], tasks: [one], etcdRevision: 9 });
  t.deepEqual(nextEndpointSet(known, moved, { etcdRevision: 9, kinds: new Set(['node']), services: new Set() }), endpointSet(moved));
  const two = { nodes: [node('n1'), node('n2', { condition: 'silent' })], tasks: [one, task(web, 'n2', { id: taskId('zz'), slot: 1 })] };
  const massAway = snapshot({ services: [web, api, nightly], ...two, massBreaker: OPEN, etcdRevision: 9 });
  const closed = endpointSet(snapshot({ services: [web, api, nightly], ...two, etcdRevision: 8 }));
  t.deepEqual(nextEndpointSet(closed, massAway, { etcdRevision: 9, kinds: new Set(['mass-breaker']), services: new Set() }), endpointSet(massAway));
  const published = { ...api, spec: { ...api.spec, container: { ...api.spec.container, ports: [{ published: 80, target: 80, protocol: 'tcp', mode: 'ingress', allowFrom: [] } as const] } } };
  const opened = snapshot({ services: [web, published, nightly], nodes: [node('n1')], tasks: [one], etcdRevision: 9 });
  t.deepEqual(nextEndpointSet(known, opened, { etcdRevision: 9, kinds: new Set(['service']), services: new Set([api.id]) }), endpointSet(opened));
  const elsewhere = snapshot({ services: [web, api, nightly], nodes: [node('n1')], tasks: [one], etcdRevision: 10 });
  t.deepEqual(nextEndpointSet(known, elsewhere, { etcdRevision: 10, kinds: new Set(['secret']), services: new Set() }), { ...known, generation: 10 });
});

test('what a newer snapshot has of other services is no part of the generation of a change before it', t => {
  const parts = { services: [web, service({ name: 'api' })], nodes: [node('n1')], tasks: [one] };
  const known = endpointSet(snapshot({ ...parts, statuses: [status(one, { health: 'unhealthy' })], etcdRevision: 7 }));
  const newest = snapshot({ ...parts, etcdRevision: 9 });
  const untouched = nextEndpointSet(known, newest, { etcdRevision: 8, kinds: new Set(['controller']), services: new Set() });
  t.deepEqual(untouched, { ...known, generation: 8 });
  const other = nextEndpointSet(untouched, newest, { etcdRevision: 8, kinds: new Set(['task']), services: new Set([service({ name: 'api' }).id]) });
  t.deepEqual(other, { ...known, generation: 8 });
  t.deepEqual(nextEndpointSet(other, newest, { etcdRevision: 9, kinds: new Set(['status']), services: new Set([web.id]) }), endpointSet(newest));
});

test('a generation never goes back, unless the store did', t => {
  const parts = { services: [web], nodes: [node('n1')], tasks: [one] };
  const ahead = endpointSet(snapshot({ ...parts, etcdRevision: 9 }));
  t.deepEqual(nextEndpointSet(ahead, snapshot({ ...parts, etcdRevision: 9 }), { etcdRevision: 8, kinds: new Set(['status']), services: new Set([web.id]) }), ahead);
  t.is(nextEndpointSet(ahead, snapshot({ ...parts, etcdRevision: 5 }), { etcdRevision: 5, kinds: new Set(), services: new Set() }).generation, 5);
});

test('what touches a run of a cron touches what the cron serves, and of other crons nothing', t => {
  const [report, other] = [service({ name: 'report', kind: 'cron' }), service({ name: 'other', kind: 'cron' })];
  const run = { ...service({ name: 'report-1', kind: 'job' }), virtualIp: '', cronRun: { cron: 'report', scheduledAtMs: 0, isManual: false } };
  const made = task(run, 'n1');
  const parts = { services: [report, other, run], nodes: [node('n1')] };
  const known = endpointSet(snapshot({ ...parts, etcdRevision: 7 }));
  const after = snapshot({ ...parts, tasks: [made], etcdRevision: 8 });
  const next = nextEndpointSet(known, after, { etcdRevision: 8, kinds: new Set(['status']), services: new Set([run.id]) });
  t.deepEqual(next, endpointSet(after));
  t.deepEqual(next.services.map(one => one.endpoints.length), [0, 1]);
  t.is(next.services[0], known.services[0]);
});
