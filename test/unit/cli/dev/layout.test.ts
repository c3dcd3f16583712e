import test from 'ava';
import { devLayout, portsNeeded, portsOf, UNDERLAY_COUNT } from '../../../../cli/dev/layout.ts';
import type { DevChoice } from '../../../../cli/dev/layout.ts';

const choice = (name: string, underlayIndex = 0): DevChoice => ({
  name, underlayIndex, nodeCount: 3, controllerCount: 2, ports: Array.from({ length: portsNeeded(2) }, (_, index) => 7400 + index),
});

test('every port that was reserved is used once', t => {
  t.deepEqual([...portsOf(devLayout(choice('dev')))].sort(), [...choice('dev').ports]);
});

test('names of links fit into 15 characters, whatever the name of the cluster', t => {
  const layout = devLayout(choice('twelve-chars'));
  const longest = [layout.hostLink, ...layout.nodes.map(node => `${node.scope}t254`)];
  t.deepEqual(longest.filter(name => name.length > 15), []);
});

test('clusters that run beside each other share no name, address or id', t => {
  const [one, two] = [devLayout(choice('one', 0)), devLayout(choice('two', 1))];
  const all = [one, two].flatMap(layout => [layout.stateDir, layout.runDir, layout.hostLink, layout.hostTable, layout.hostAddress, layout.hubNamespace,
    ...layout.nodes.flatMap(node => [node.networkNamespace, node.address, node.scope, String(node.usernsBase)])]);
  t.is(new Set(all).size, all.length);
});

test('ids of user namespaces end below 2^32 on the last underlay', t => {
  const [last] = devLayout({ ...choice('last', UNDERLAY_COUNT - 1), nodeCount: 9 }).nodes.slice(-1);
  t.true((last?.usernsBase ?? Number.NaN) + 0x100_0000 <= 2 ** 32);
});
