import test from 'ava';
import { allObstacles, isPlain, nodeObstacle, taskObstacle } from '../../../../controller/schedule/filters.ts';
import type { Obstacle } from '../../../../controller/schedule/filters.ts';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { requestFor } from '../../../../controller/schedule/request.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import { node, resources, service, snapshot, task, taskId } from '../../../support/builders.ts';
import type { NodeOptions, ServiceOptions } from '../../../support/builders.ts';

const PORT = { published: 80, target: 80, protocol: 'tcp', mode: 'host', allowFrom: [] } as const;
/** Has port 80 and a unit of gpu. */
const proxy = service({ name: 'proxy', container: { requests: resources(0, 0), ports: [PORT], deviceRequests: [{ name: 'gpu', count: 1 }] } });

function state(options: NodeOptions, services: readonly ReturnType<typeof service>[] = []): ReturnType<typeof snapshot> {
  return snapshot({ nodes: [node('n1', options)], services: [proxy, ...services], tasks: [task(proxy, 'n1'), ...services.map((one, index) => task(one, 'n1', { id: taskId(`x${String.fromCharCode(97 + index)}`) }))] });
}

function onNode(nodeOptions: NodeOptions, options: ServiceOptions): Obstacle | undefined {
  return nodeObstacle(node('n1', nodeOptions), service(options));
}

/** What is in the way of a task of a service of which one task is on the node already. */
function onTask(nodeOptions: NodeOptions, options: ServiceOptions): Obstacle | undefined {
  const of = service(options);
  const all = state({ policy: CLOSED_NODE_POLICY, ...nodeOptions }, [service({ ...options, container: { requests: resources(0, 0) } })]);
  const table = new NodeTable(all);
  return taskObstacle(table, requestFor(all, table, of), 0, 1);
}

test('the first filter that says no names the obstacle', t => {
  t.like(onNode({ condition: 'lost', taints: ['spot'], runtimes: [] }, {}), { kind: 'node', state: 'lost' });
  t.like(onNode({ taints: ['spot'], runtimes: [] }, {}), { kind: 'taint' });
  t.is(onNode({}, {}), undefined);
});
test('of several taints the first by name that is not tolerated', t => {
  t.like(onNode({ taints: ['z', 'b', 'a'] }, { placement: { tolerate: ['a'] } }), { taint: 'b' });
});
test('a task that fits exactly meets no obstacle', t => {
  t.is(onTask({ capacity: resources(50, 32) }, {}), undefined);
  t.like(onTask({ capacity: resources(50, 32) }, { container: { requests: resources(51, 32) } }), { kind: 'cpu', need: 51, free: 50 });
});
test('ports that only the ingress publishes need no port of the node', t => {
  t.is(onTask({}, { container: { ports: [{ ...PORT, mode: 'ingress' }] } }), undefined);
  t.like(onTask({}, { container: { ports: [PORT] } }), { kind: 'host-port', port: 'tcp/80' });
});
test('a port of the node on which a process listens is not free', t => {
  const listening = { listeningPorts: ['tcp/81', 'udp/82'] };
  const asks = (published: number, change: object = {}): Obstacle | undefined => onTask(listening, { container: { ports: [{ ...PORT, published, ...change }] } });
  t.like(asks(81), { kind: 'host-port', port: 'tcp/81', user: 'process' });
  t.is(asks(82), undefined);
  t.is(asks(81, { mode: 'ingress' }), undefined);
  t.like(onTask({ listeningPorts: ['tcp/80'] }, { container: { ports: [PORT] } }), { kind: 'host-port', user: 'task' }, 'a task has it too');
});
test('a task whose fields the agent ignores is not placed there', t => {
  const limits = { memoryBytes: 1, pids: 1, storageBytes: 2 ** 20 };
  t.like(onTask({ capabilities: ['hugepages'], agentVersion: '0.1.0' }, { container: { limits } }), { kind: 'capability', capability: 'storage', agentVersion: '0.1.0' });
  t.like(onTask({ capabilities: [] }, { container: { limits } }), { kind: 'capability', capability: 'storage' }, 'an agent of before names none');
  t.is(onTask({ capabilities: ['storage', 'tomorrow'] }, { container: { limits } }), undefined);
  t.is(onTask({ capabilities: [] }, {}), undefined, 'it needs none');
});
test('max_per counts what is placed already', t => {
  t.is(onTask({}, { placement: { maxPer: [{ label: 'node', count: 2 }] } }), undefined);
  t.like(onTask({}, { placement: { maxPer: [{ label: 'node', count: 1 }] } }), { kind: 'max-per' });
});
test('devices: what is declared less what tasks have', t => {
  const policy = { ...CLOSED_NODE_POLICY, devices: [{ name: 'gpu', count: 2 }] };
  const asks = (name: string, count: number, milli?: number): Obstacle | undefined =>
    onTask({ policy }, { container: { deviceRequests: [{ name, count, ...(milli === undefined ? {} : { milli }) }] } });
  t.is(asks('gpu', 1), undefined);
  t.like(asks('gpu', 2), { kind: 'device', device: 'gpu', need: 2, free: 1 });
  t.is(asks('gpu', 1, 500), undefined);
  t.like(asks('gpu', 2, 500), { kind: 'device', need: 2, free: 1, milli: 500 });
  t.like(asks('fpga', 1), { kind: 'device', device: 'fpga', free: 0 });
});
test('what opens the machine has to be offered by the node', t => {
  const security = { ...service().spec.container.security, profile: 'privileged' as const };
  const volumes = [{ kind: 'bind' as const, hostPath: '/srv/a/b', target: '/b', readOnly: false }];
  const devices = [{ hostPath: '/dev/fuse', target: '/dev/fuse', access: 'rwm' }];
  const open = { policy: { ...CLOSED_NODE_POLICY, bindPrefixes: ['/srv/a'], devicePaths: ['/dev/fuse'], allowsPrivileged: true } };
  t.like(onNode({}, { container: { security } }), { kind: 'privileged' });
  t.like(onNode({}, { container: { volumes } }), { kind: 'bind', hostPath: '/srv/a/b' });
  t.like(onNode({}, { container: { devices } }), { kind: 'device-path', hostPath: '/dev/fuse' });
  t.is(onNode(open, { container: { security, volumes, devices } }), undefined);
});
test('huge pages need a node that can limit pages of each size, in every container', t => {
  const limits = (...sizes: readonly number[]) => ({ memoryBytes: 1, pids: 1, hugepages: sizes.map(pageBytes => ({ pageBytes, bytes: pageBytes })) });
  const [small, large] = [2 ** 21, 2 ** 30];
  t.like(onNode({ hugepageSizes: { bytes: [] } }, { container: { limits: limits(small) } }), { kind: 'hugepages', pageBytes: small, sizes: [] });
  t.like(onNode({ hugepageSizes: { bytes: [small] } }, { container: { limits: limits(small, large) } }), { kind: 'hugepages', pageBytes: large, sizes: [small] });
  t.is(onNode({ hugepageSizes: { bytes: [small, large] } }, { container: { limits: limits(small, large) } }), undefined);
  t.is(onNode({ hugepageSizes: { bytes: [] } }, {}), undefined);
  t.is(onNode({}, { container: { limits: limits(small) } }), undefined, 'an agent that does not report them');
  const { container } = service({ container: { limits: limits(large) } }).spec;
  t.like(onNode({ hugepageSizes: { bytes: [small] } }, { companions: [{ name: 'proxy', role: 'sidecar', container }] }), { kind: 'hugepages', pageBytes: large });
});
test('an exclusive service needs what stops its tasks in the agent\'s stead', t => {
  const exclusive = { onDisconnect: { kind: 'exclusive', stopAfterMs: 30_000, replaceAfterMs: 70_000 } } as const;
  t.like(onNode({ hasDeadman: false }, exclusive), { kind: 'deadman' });
  t.is(onNode({}, exclusive), undefined);
  t.is(onNode({ hasDeadman: false }, {}), undefined);
});
test('a node whose network cannot be made gets no task of any service', t => {
  t.like(onNode({ networkFault: 'network: no vxlan' }, {}), { kind: 'network', fault: 'network: no vxlan' });
  t.is(onNode({ networkFault: '', listeningPorts: [] }, {}), undefined);
});
test('disk and processes limit where the node says how many it has', t => {
  const asks = { container: { requests: { ...resources(1, 1), diskBytes: 100, pids: 10 } } };
  t.is(onTask({ pids: 0 }, asks), undefined);
  t.like(onTask({ pids: 9 }, asks), { kind: 'pids', need: 10, free: 9 });
  t.like(onTask({ capacity: { ...resources(1, 1), diskBytes: 99 } }, asks), { kind: 'disk', need: 100, free: 99 });
  t.is(onTask({ pids: 10, capacity: { ...resources(1, 1), diskBytes: 100 } }, asks), undefined);
});
test('near needs a task of the other there, away none; where there is a weight neither must be', t => {
  const to = (name: string) => [{ service: name, label: 'node' }];
  t.is(onTask({}, { placement: { affinity: to('proxy') } }), undefined);
  t.like(onTask({}, { placement: { affinity: to('db') } }), { kind: 'near', service: 'default/shop/db', label: 'node' });
  t.is(onTask({}, { placement: { avoid: to('db') } }), undefined);
  t.like(onTask({}, { placement: { avoid: to('proxy') } }), { kind: 'avoid', service: 'default/shop/proxy' });
  t.is(onTask({}, { placement: { avoid: [{ service: 'proxy', label: 'node', weight: 5 }] } }), undefined);
});
test('what another service avoids keeps away from it too', t => {
  const shy = service({ name: 'shy', placement: { avoid: [{ service: 'web', label: 'node' }] } });
  const all = state({}, [shy]);
  const table = new NodeTable(all);
  t.like(taskObstacle(table, requestFor(all, table, service()), 0, 0), { kind: 'avoid', service: 'default/shop/shy' });
  t.is(taskObstacle(table, requestFor(all, table, service({ name: 'other' })), 0, 0), undefined);
});
test('all that is in the way is told, of the node and of the task', t => {
  const all = state({ taints: ['spot'], capacity: resources(1, 1) });
  const table = new NodeTable(all);
  t.deepEqual(allObstacles(table, requestFor(all, table, service()), 0, 0).map(one => one.kind), ['taint', 'memory', 'cpu']);
});
test('a task is plain when only memory and cpu count', t => {
  const all = state({});
  const table = new NodeTable(all);
  const is = (options: ServiceOptions): boolean => isPlain(requestFor(all, table, service(options)));
  t.true(is({ placement: { spread: ['zone'], tolerate: ['spot'] } }));
  for (const container of [{ ports: [PORT] }, { deviceRequests: [{ name: 'gpu', count: 1 }] }, { requests: { ...resources(1, 1), pids: 1 } }]) t.false(is({ container }));
  t.false(is({ placement: { maxPer: [{ label: 'node', count: 1 }] } }));
  t.false(is({ placement: { avoid: [{ service: 'proxy', label: 'node' }] } }));
});
