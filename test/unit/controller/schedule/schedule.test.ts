import test from 'ava';
import { fc } from '../../../support/property.ts';
import { explainSummary } from '../../../../controller/schedule/explain.ts';
import { rejectedSlots, schedule } from '../../../../controller/schedule/schedule.ts';
import type { Schedule } from '../../../../controller/schedule/schedule.ts';
import type { Service } from '#model/app.ts';
import { parseNodeId } from '#model/ids.ts';
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { failed, node, resources, service, snapshot, task, taskId } from '../../../support/builders.ts';
import type { SnapshotOptions } from '../../../support/builders.ts';

const slots = (count: number) => Array.from({ length: count }, (_, slot) => ({ slot }));

function place(of: Service, count: number, state: SnapshotOptions): Schedule {
  return schedule(snapshot({ services: [of], ...state }), [{ service: of, slots: slots(count) }]);
}

function nodesOf({ placements }: Schedule): readonly string[] {
  return placements.map(one => one.node);
}

function countsOf(result: Schedule): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of nodesOf(result)) {
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

const THREE = [node('n1'), node('n2'), node('n3')];

test('60 replicas over three equal nodes end 20/20/20', t => {
  const web = service({ container: { requests: resources(10, 16) } });
  t.deepEqual(countsOf(place(web, 60, { nodes: THREE })), { n1: 20, n2: 20, n3: 20 });
});

test('new tasks go where the fewest of the current template are, whatever old ones stand there', t => {
  const web = service({ templateHash: 'hash-2' });
  const old = service();
  const tasks = [task(old, 'n1', { slot: 0 }), task(old, 'n2', { slot: 1 }), task(web, 'n1', { slot: 2 })];
  t.deepEqual(nodesOf(place(web, 2, { nodes: THREE, tasks })), ['n3', 'n2']);
});

test('the first spread label is evened out before the second', t => {
  const nodes = [node('n1', { labels: { zone: 'a' } }), node('n2', { labels: { zone: 'a' } }), node('n3', { labels: { zone: 'b' } })];
  const web = service({ placement: { spread: ['zone', 'node'] } });
  t.deepEqual(countsOf(place(web, 4, { nodes })), { n1: 1, n2: 1, n3: 2 });
});

test('of nodes with equally many tasks the preferred one is taken', t => {
  const nodes = [node('n1'), node('n2', { labels: { disk: 'ssd' } })];
  const web = service({ placement: { prefer: [{ rule: { label: 'disk', operator: '==', values: ['ssd'] }, weight: 10 }] } });
  t.deepEqual(nodesOf(place(web, 1, { nodes })), ['n2']);
});

test('of nodes with equally many tasks the emptier one is taken', t => {
  const db = service({ name: 'db', container: { requests: resources(1_000, 100) } });
  t.deepEqual(nodesOf(place(service(), 1, { nodes: THREE, tasks: [task(db, 'n1')] })), ['n2']);
});

test('of nodes alike the one with the lowest id is taken', t => {
  t.deepEqual(nodesOf(place(service(), 1, { nodes: THREE.toReversed() })), ['n1']);
});

test('a global slot goes to its own node or nowhere', t => {
  const agent = service({ kind: 'global' });
  const cordoned = [node('n1'), node('n2', { availability: 'cordoned' })];
  const result = schedule(snapshot({ nodes: cordoned }), [{ service: agent, slots: [{ slot: 1, node: cordoned[0]!.id }, { slot: 2, node: cordoned[1]!.id }] }]);
  t.deepEqual(nodesOf(result), ['n1']);
  t.deepEqual(result.rejections.map(one => explainSummary(one.obstacles)), ['no node fits: 1 of 1 node is cordoned']);
});

const refused = test.macro({
  exec(t, of: Service, state: SnapshotOptions, sentence: string) {
    const result = place(of, 1, state);
    t.deepEqual(nodesOf(result), []);
    t.deepEqual(result.rejections.map(one => explainSummary(one.obstacles)), [`no node fits: ${sentence}`]);
  },
  title: (name = '') => `refused: ${name}`,
});

test('no nodes', refused, service(), {}, 'the cluster has no nodes');
test('a cordoned node', refused, service(), { nodes: [node('n1', { availability: 'cordoned' })] }, '1 of 1 node is cordoned');
test('draining nodes', refused, service(), { nodes: [node('n1', { availability: 'draining' }), node('n2', { availability: 'draining' })] }, '2 of 2 nodes are draining');
test('a silent node', refused, service(), { nodes: [node('n1', { condition: 'silent' })] }, '1 of 1 node is silent');
test('a lost node, though it is cordoned too', refused, service(), { nodes: [node('n1', { condition: 'lost', availability: 'cordoned' })] }, '1 of 1 node is lost');
test('a taint', refused, service(), { nodes: [node('n1', { taints: ['spot'] })] }, '1 of 1 node has the taint spot, which the service does not tolerate');
test('a required label', refused, service({ placement: { require: [{ label: 'tier', operator: '==', values: ['web'] }] } }), { nodes: THREE }, '3 of 3 nodes break the rule "tier == web"');
test('a runtime', refused, service({ container: { runtime: 'kata' } }), { nodes: THREE }, '3 of 3 nodes have no runtime kata');
test('memory, with the best node named', refused,
  service({ container: { requests: resources(10, 512) } }),
  { nodes: [node('n1', { capacity: resources(1_000, 100) }), node('n2', { capacity: resources(1_000, 200) }), node('n3', { availability: 'cordoned' })] },
  '2 of 3 nodes have not enough memory free (need 512Mi, most free 200Mi on n2); 1 node is cordoned');
test('cpu', refused, service({ container: { requests: resources(500, 1) } }), { nodes: [node('n1', { capacity: resources(499, 100) })] }, '1 of 1 node has not enough cpu free (need 0.5 cpu, most free 0.499 cpu on n1)');
test('what unfinished tasks have, also when they are to stop', refused,
  service({ container: { requests: resources(500, 1) } }),
  { nodes: [node('n1', { capacity: resources(800, 100) })], tasks: [task(service({ name: 'db', container: { requests: resources(400, 1) } }), 'n1', { desired: 'stop' })] },
  '1 of 1 node has not enough cpu free (need 0.5 cpu, most free 0.4 cpu on n1)');

const HOST_PORT = { published: 80, target: 8080, protocol: 'tcp', mode: 'host', allowFrom: [] } as const;
test('a host port that has an owner', refused, service({ container: { ports: [HOST_PORT] } }),
  { nodes: [node('n1')], tasks: [task(service({ name: 'proxy', container: { ports: [HOST_PORT] } }), 'n1')] },
  '1 of 1 node has host port tcp/80 taken');
test('max_per reached', refused, service({ placement: { maxPer: [{ label: 'node', count: 1 }] } }),
  { nodes: [node('n1')], tasks: [task(service(), 'n1')] }, '1 of 1 node has max_per node = 1 reached');

const DATA = { volumes: [{ name: 'data', perReplica: false }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/data', readOnly: false }] } } as const;
test('a volume whose node is lost', refused, service(DATA),
  { nodes: [node('n1', { condition: 'lost' }), node('n2')], tasks: [task(service(DATA), 'n1')] },
  '1 of 2 nodes is lost; 1 node is not n1, which has the data of volume default/data');

const fits = test.macro({
  exec(t, of: Service, count: number, state: SnapshotOptions, expected: readonly string[]) {
    t.deepEqual(nodesOf(place(of, count, state)), expected);
  },
  title: (name = '') => `fits: ${name}`,
});
const full = task(service({ name: 'db', container: { requests: resources(400, 1) } }), 'n1');
test('exactly what is left', fits, service({ container: { requests: resources(400, 1) } }), 1, { nodes: [node('n1', { capacity: resources(800, 100) })], tasks: [full] }, ['n1']);
test('what a failed task had', fits, service({ container: { requests: resources(500, 1) } }), 1, { nodes: [node('n1', { capacity: resources(800, 100) })], tasks: [full], statuses: [failed(full)] }, ['n1']);
test('as many as the node holds, the rest is refused', fits, service({ container: { requests: resources(400, 1) } }), 3, { nodes: [node('n1', { capacity: resources(800, 100) })] }, ['n1', 'n1']);
test('a host port once a node', fits, service({ container: { ports: [HOST_PORT] } }), 4, { nodes: THREE }, ['n1', 'n2', 'n3']);
test('the same port of the other protocol', fits, service({ container: { ports: [{ ...HOST_PORT, protocol: 'udp' }] } }), 1, { nodes: [node('n1')], tasks: [task(service({ name: 'proxy', container: { ports: [HOST_PORT] } }), 'n1')] }, ['n1']);
test('max_per tasks a node', fits, service({ placement: { maxPer: [{ label: 'node', count: 2 }] } }), 7, { nodes: THREE }, ['n1', 'n2', 'n3', 'n1', 'n2', 'n3']);
test('a tolerated taint', fits, service({ placement: { tolerate: ['spot'] } }), 1, { nodes: [node('n1', { taints: ['spot'] })] }, ['n1']);
test('a required label', fits, service({ placement: { require: [{ label: 'node', operator: '==', values: ['n2'] }] } }), 2, { nodes: THREE }, ['n2', 'n2']);
test('all tasks of a volume on the node that has it', fits, service(DATA), 2, { nodes: THREE, tasks: [task(service(DATA), 'n2', { slot: 7 })] }, ['n2', 'n2']);
test('all tasks of a new volume together', fits, service(DATA), 3, { nodes: THREE }, ['n1', 'n1', 'n1']);
test('a volume is free again once its node was removed', fits, service(DATA), 1, { nodes: [node('n1')], tasks: [task(service(DATA), 'n9')] }, ['n1']);

const PER_REPLICA = { ...DATA, kind: 'stateful', volumes: [{ name: 'data', perReplica: true }] } as const;
const ended0 = task(service(PER_REPLICA), 'n3', { slot: 0, desired: 'stop' });
test('a stateful slot goes back to the node of its previous task', fits, service(PER_REPLICA), 2, { nodes: THREE, tasks: [ended0], statuses: [failed(ended0)] }, ['n3', 'n1']);
const older = task(service(PER_REPLICA), 'n2', { slot: 0, id: taskId('zz'), fence: 0 });
test('of several previous tasks the newest counts', fits, service(PER_REPLICA), 1, { nodes: THREE, tasks: [older, ended0] }, ['n3']);

/** Clusters of up to six nodes with tasks on them, and a service to place. */
const arbitraryCluster = fc.record({
  nodes: fc.array(fc.record({
    milliCpu: fc.integer({ min: 0, max: 2_000 }), memoryMib: fc.integer({ min: 0, max: 500 }),
    zone: fc.constantFrom('a', 'b', undefined), condition: fc.constantFrom('ready', 'ready', 'ready', 'silent', 'lost'),
    availability: fc.constantFrom('active', 'active', 'active', 'cordoned', 'draining'), taints: fc.constantFrom([], [], ['spot']),
  }), { maxLength: 6 }),
  tasks: fc.array(fc.record({ node: fc.nat(5), hash: fc.constantFrom('hash-1', 'old'), isFailed: fc.boolean() }), { maxLength: 12 }),
  request: fc.record({ milliCpu: fc.integer({ min: 1, max: 600 }), memoryMib: fc.integer({ min: 1, max: 200 }) }),
  count: fc.nat(20), maxPer: fc.constantFrom([], [{ label: 'node', count: 2 }], [{ label: 'zone', count: 3 }]),
  spread: fc.constantFrom([], ['zone', 'node']), hasHostPort: fc.boolean(),
});
type Cluster = typeof arbitraryCluster extends fc.Arbitrary<infer T> ? T : never;

function build(cluster: Cluster): { readonly web: Service; readonly nodes: readonly Node[]; readonly tasks: readonly Task[]; readonly statuses: readonly TaskStatus[] } {
  const nodes = cluster.nodes.map((one, index) => node(`n${String(index)}`, {
    capacity: resources(one.milliCpu, one.memoryMib), condition: one.condition,
    availability: one.availability, taints: one.taints, labels: one.zone === undefined ? {} : { zone: one.zone },
  }));
  const web = service({
    container: { requests: resources(cluster.request.milliCpu, cluster.request.memoryMib), ports: cluster.hasHostPort ? [HOST_PORT] : [] },
    placement: { maxPer: cluster.maxPer, spread: cluster.spread },
  });
  const small = service({ templateHash: 'old', container: { requests: resources(50, 10) } });
  const rows = cluster.tasks.map((one, slot) => {
    const made = task(one.hash === 'old' ? small : web, `n${String(one.node)}`, { slot: slot + 100 });
    return { made, ended: one.isFailed ? [failed(made)] : [] };
  });
  return { web, nodes, tasks: rows.map(row => row.made), statuses: rows.flatMap(row => row.ended) };
}

test('property: what is placed in one call never makes a node too full, and breaks no rule', t => {
  fc.assert(fc.property(arbitraryCluster, cluster => {
    const { web, nodes, tasks, statuses } = build(cluster);
    const before = snapshot({ services: [web], nodes, tasks, statuses });
    const result = schedule(before, [{ service: web, slots: slots(cluster.count) }]);
    t.is(result.placements.length + rejectedSlots(result.rejections), cluster.count);
    for (const one of nodes) {
      const mine = result.placements.filter(placement => placement.node === one.id).length;
      const used = tasks.filter(each => each.node === one.id && !statuses.some(end => end.id === each.id));
      const cpu = used.reduce((sum, each) => sum + each.container.requests.milliCpu, 0) + mine * web.spec.container.requests.milliCpu;
      t.true(mine === 0 || cpu <= one.capacity.milliCpu);
      t.true(mine === 0 || (one.condition === 'ready' && one.availability === 'active' && one.taints.length === 0));
      t.true(!cluster.hasHostPort || mine <= 1);
    }
  }));
});

test('property: shuffled input gives the same bytes', t => {
  fc.assert(fc.property(arbitraryCluster, fc.integer(), (cluster, seed) => {
    const { web, nodes, tasks, statuses } = build(cluster);
    const other = service({ name: 'api' });
    const one = schedule(snapshot({ nodes, tasks, statuses }), [{ service: web, slots: slots(cluster.count) }, { service: other, slots: slots(3) }]);
    const mix = <T>(list: readonly T[]): readonly T[] => (seed % 2 === 0 ? list.toReversed() : [...list.slice(2), ...list.slice(0, 2)]);
    const two = schedule(
      snapshot({ nodes: mix(nodes), tasks: mix(tasks), statuses: mix(statuses) }),
      [{ service: other, slots: mix(slots(3)) }, { service: web, slots: mix(slots(cluster.count)) }],
    );
    t.is(JSON.stringify(one), JSON.stringify(two));
  }));
});

test('a slot goes where it is preferred, if it fits there; else where it is best', t => {
  const web = service({ container: { requests: resources(3_000, 64) } });
  const state = snapshot({ nodes: [node('n1'), node('n2'), node('n3', { availability: 'cordoned' })], services: [web] });
  const placed = (slots: readonly { readonly slot: number; readonly preferred?: NodeId }[]): readonly unknown[] => schedule(state, [{ service: web, slots }]).placements.map(one => one.node);
  t.deepEqual(placed([{ slot: 0, preferred: parseNodeId('n2') }]), ['n2']);
  t.deepEqual(placed([{ slot: 0, preferred: parseNodeId('n2') }, { slot: 1, preferred: parseNodeId('n2') }]), ['n2', 'n1'], 'full by then');
  t.deepEqual(placed([{ slot: 0, preferred: parseNodeId('n3') }]), ['n1'], 'cordoned');
  t.deepEqual(placed([{ slot: 0, preferred: parseNodeId('gone') }]), ['n1']);
  const many = Array.from({ length: 20 }, (_, slot) => ({ slot, preferred: parseNodeId('n2') }));
  const small = service({ container: { requests: resources(1, 1) } });
  t.true(schedule(state, [{ service: small, slots: many }]).placements.every(one => one.node === 'n2'), 'as many as there are');
});
