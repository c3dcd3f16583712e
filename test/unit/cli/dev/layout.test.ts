import test from 'ava';
import { devLayout, portsNeeded, portsOf, runDirOf, stateDirOf } from '../../../../cli/dev/layout.ts';

const ports = Array.from({ length: portsNeeded(2) }, (_, index) => 7400 + index);
const layout = devLayout({ name: 'dev', underlayIndex: 7, nodeCount: 3, controllerCount: 2, ports });

test('every port is used once', t => {
  t.deepEqual(portsOf(layout).toSorted(), ports);
});

test('nodes have addresses, scopes and ids of their own', t => {
  t.deepEqual(layout.nodes.map(node => [node.name, node.address, node.networkNamespace]), [
    ['n1', '10.161.7.10', 'gantry-dev-n1'], ['n2', '10.161.7.11', 'gantry-dev-n2'], ['n3', '10.161.7.12', 'gantry-dev-n3'],
  ]);
  t.is(new Set(layout.nodes.map(node => node.scope)).size, 3);
  const [first = 0, second = 0] = layout.nodes.map(node => node.usernsBase);
  t.is(second - first, 0x100_0000);
});

test('clusters beside each other share nothing', t => {
  const other = devLayout({ name: 'other', underlayIndex: 8, nodeCount: 16, controllerCount: 1, ports: [1, 2, 3, 4, 5, 6, 7] });
  t.not(other.tag, layout.tag);
  t.true(layout.tag.length <= 5);
  t.true((other.nodes[0]?.usernsBase ?? 0) > Math.max(...layout.nodes.map(node => node.usernsBase)));
  t.deepEqual([stateDirOf('a'), runDirOf('a')], ['/var/lib/gantry-dev/a', '/run/gantry-dev/a']);
});
