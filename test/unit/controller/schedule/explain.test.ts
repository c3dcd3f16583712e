import test from 'ava';
import { explainNode, explainObstacles } from '../../../../controller/schedule/explain.ts';
import type { Obstacle } from '../../../../controller/schedule/filters.ts';
import { parseNodeId } from '#model/ids.ts';
import { MIB } from '../../../support/builders.ts';

const n = parseNodeId;
const explains = test.macro({
  exec(t, obstacles: readonly Obstacle[], sentence: string) {
    t.is(explainObstacles(obstacles), sentence);
    t.is(explainObstacles(obstacles.toReversed()), sentence);
  },
  title: (name = '') => `explainObstacles: ${name}`,
});
test('no nodes', explains, [], 'no node fits: the cluster has no nodes');
test('the biggest group first, the best node of a shortage named', explains, [
  { node: n('n3'), kind: 'node', state: 'cordoned' },
  { node: n('n1'), kind: 'memory', need: 512 * MIB, free: 100 * MIB },
  { node: n('n2'), kind: 'memory', need: 512 * MIB, free: 200 * MIB },
], 'no node fits: 2 of 3 nodes have not enough memory free (need 512Mi, most free 200Mi on n2); 1 node is cordoned');
test('groups of one size by their names', explains, [
  { node: n('n1'), kind: 'taint', taint: 'spot' }, { node: n('n2'), kind: 'host-port', port: 'tcp/80', user: 'task' },
], 'no node fits: 1 of 2 nodes has host port tcp/80 taken; 1 node has the taint spot, which the service does not tolerate');
test('a port on which a process listens', explains, [{ node: n('n1'), kind: 'host-port', port: 'tcp/80', user: 'process' }, { node: n('n2'), kind: 'host-port', port: 'tcp/80', user: 'process' }, { node: n('n3'), kind: 'host-port', port: 'tcp/80', user: 'task' }],
  'no node fits: 2 of 3 nodes have host port tcp/80 in use by a process that is not a task; 1 node has host port tcp/80 taken');
test('an agent of before', explains, [{ node: n('n1'), kind: 'capability', capability: 'storage', agentVersion: '0.1.0' }],
  'no node fits: 1 of 1 node has an agent (0.1.0) that ignores storage; upgrade it');
test('a network that is not there', explains, [{ node: n('n1'), kind: 'network', fault: 'network: no vxlan' }],
  'no node fits: 1 of 1 node has a network fault ("network: no vxlan")');
test('networks that are not there, each for another reason', explains, [{ node: n('n1'), kind: 'network', fault: 'a' }, { node: n('n2'), kind: 'network', fault: 'b' }],
  'no node fits: 2 of 2 nodes have a network fault, which clusterctl node ls -o wide shows');
test('huge pages that nodes cannot limit', explains, [{ node: n('n1'), kind: 'hugepages', pageBytes: 2 * MIB, sizes: [] }],
  'no node fits: 1 of 1 node has no limit for huge pages of 2Mi: the size or the hugetlb controller is missing');
test('nothing that would stop an exclusive task', explains, [{ node: n('n1'), kind: 'deadman' }, { node: n('n2'), kind: 'deadman' }],
  'no node fits: 2 of 2 nodes have no gantry-deadman at work, which stops tasks with stop_after when the agent cannot');
test('two rules are two causes', explains, [
  { node: n('n1'), kind: 'label', rule: 'zone == a' }, { node: n('n2'), kind: 'label', rule: 'disk == ssd' }, { node: n('n3'), kind: 'label', rule: 'disk == ssd' },
], 'no node fits: 2 of 3 nodes break the rule "disk == ssd"; 1 node breaks the rule "zone == a"');
test('amounts in the unit that a person would choose', explains, [{ node: n('n1'), kind: 'memory', need: 1536 * MIB, free: -1 }], 'no node fits: 1 of 1 node has not enough memory free (need 1.5Gi, most free 0 on n1)');
test('cpu in cores', explains, [{ node: n('n1'), kind: 'cpu', need: 1_500, free: 250 }], 'no node fits: 1 of 1 node has not enough cpu free (need 1.5 cpu, most free 0.25 cpu on n1)');

test('explainNode: each cause of one node once, in the order of their names', t => {
  const obstacles: readonly Obstacle[] = [
    { node: n('n1'), kind: 'taint', taint: 'spot' }, { node: n('n1'), kind: 'label', rule: 'disk == ssd' }, { node: n('n1'), kind: 'taint', taint: 'spot' },
  ];
  const sentence = 'breaks the rule "disk == ssd"; has the taint spot, which the service does not tolerate';
  t.deepEqual([explainNode(obstacles), explainNode(obstacles.toReversed())], [sentence, sentence]);
  t.is(explainNode([{ node: n('n1'), kind: 'node', state: 'draining' }]), 'is draining');
});
