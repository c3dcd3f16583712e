import test from 'ava';
import { nodeObstacle, taskObstacle } from '../../../../controller/schedule/filters.ts';
import type { ServiceRequest } from '../../../../controller/schedule/filters.ts';
import { LabelCounts } from '../../../../controller/schedule/label-counts.ts';
import type { NodeLoad } from '../../../../controller/schedule/node-load.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import { NO_RESOURCES } from '#model/resources.ts';
import { node, resources, service } from '../../../support/builders.ts';
import type { NodeOptions, ServiceOptions } from '../../../support/builders.ts';

function request(options: ServiceOptions): ServiceRequest {
  return { service: service(options), homes: new Map(), previous: new Map(), placed: new LabelCounts(['node'], [node('n1')]), current: new LabelCounts([], []) };
}

function load(options: NodeOptions = {}): NodeLoad {
  return { node: node('n1', options), used: NO_RESOURCES, wanted: NO_RESOURCES, hostPorts: new Set(['tcp/80']), devices: new Map([['gpu', 1]]) };
}

test('the first filter that says no names the obstacle', t => {
  const everything = load({ condition: 'lost', taints: ['spot'], runtimes: [] });
  t.like(nodeObstacle(everything, request({})), { kind: 'node', state: 'lost' });
  t.like(nodeObstacle(load({ taints: ['spot'], runtimes: [] }), request({})), { kind: 'taint' });
  t.is(nodeObstacle(load(), request({})), undefined);
});
test('of several taints the first by name that is not tolerated', t => {
  t.like(nodeObstacle(load({ taints: ['z', 'b', 'a'] }), request({ placement: { tolerate: ['a'] } })), { taint: 'b' });
});
test('a task that fits exactly meets no obstacle', t => {
  const exact = load({ capacity: resources(50, 32) });
  t.is(taskObstacle(exact, request({}), 0), undefined);
  t.like(taskObstacle(exact, request({ container: { requests: resources(51, 32) } }), 0), { kind: 'cpu', need: 51, free: 50 });
});
test('ports that only the ingress publishes need no port of the node', t => {
  const port = { published: 80, target: 80, protocol: 'tcp', allowFrom: [] } as const;
  t.is(taskObstacle(load(), request({ container: { ports: [{ ...port, mode: 'ingress' }] } }), 0), undefined);
  t.like(taskObstacle(load(), request({ container: { ports: [{ ...port, mode: 'host' }] } }), 0), { kind: 'host-port', port: 'tcp/80' });
});
test('max_per counts what is placed already', t => {
  t.is(taskObstacle(load(), request({ placement: { maxPer: [{ label: 'node', count: 2 }] } }), 0), undefined);
  t.like(taskObstacle(load(), request({ placement: { maxPer: [{ label: 'node', count: 1 }] } }), 0), { kind: 'max-per' });
});
test('devices: what is declared less what tasks have', t => {
  const policy = { ...CLOSED_NODE_POLICY, devices: [{ name: 'gpu', count: 2 }] };
  const asks = (name: string, count: number): ServiceRequest => request({ container: { deviceRequests: [{ name, count }] } });
  t.is(taskObstacle(load({ policy }), asks('gpu', 1), 0), undefined);
  t.like(taskObstacle(load({ policy }), asks('gpu', 2), 0), { kind: 'device', device: 'gpu', need: 2, free: 1 });
  t.like(taskObstacle(load({ policy }), asks('fpga', 1), 0), { kind: 'device', device: 'fpga', free: 0 });
});
test('what opens the machine has to be offered by the node', t => {
  const security = { ...service().spec.container.security, profile: 'privileged' as const };
  const volumes = [{ kind: 'bind' as const, hostPath: '/srv/a/b', target: '/b', readOnly: false }];
  const devices = [{ hostPath: '/dev/fuse', target: '/dev/fuse', access: 'rwm' }];
  const open = load({ policy: { ...CLOSED_NODE_POLICY, bindPrefixes: ['/srv/a'], devicePaths: ['/dev/fuse'], allowsPrivileged: true } });
  t.like(nodeObstacle(load(), request({ container: { security } })), { kind: 'privileged' });
  t.like(nodeObstacle(load(), request({ container: { volumes } })), { kind: 'bind', hostPath: '/srv/a/b' });
  t.like(nodeObstacle(load(), request({ container: { devices } })), { kind: 'device-path', hostPath: '/dev/fuse' });
  t.is(nodeObstacle(open, request({ container: { security, volumes, devices } })), undefined);
});
